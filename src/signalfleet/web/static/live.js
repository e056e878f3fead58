// @ts-check
// One event stream per browser: the tab that holds the lock reads it and passes events on, so that
// many open tabs cost one of the six connections that HTTP/1.1 allows. htmx's SSE extension takes
// its source from htmx.createEventSource, which must be defined before that script is loaded.

const NAMES = [
  "links", "unknown", "strip", "today", "positions", "signals", "newest", "bell",
  "changed", "resync", "hb", "bye",
];
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30000;
const HIDDEN_CLOSE_MS = 300000;

class Live extends EventTarget {
  /** @param {string} url */
  constructor(url) {
    super();
    this.url = url;
    /** @type {number} */
    this.readyState = EventSource.CONNECTING;
    /** @type {((event: Event) => void) | null} */
    this.onopen = null;
    /** @type {((event: Event) => void) | null} The extension would log each loss as an error. */
    this.onerror = null;
    /** @type {EventSource | null} */
    this.source = null;
    this.wait = FIRST_WAIT_MS;
    this.timer = 0;
    this.isClosed = false;
    /** @type {(() => void) | null} */
    this.release = null;
    this.channel = new BroadcastChannel("sf-live");
    this.channel.onmessage = (message) => this.tell(message.data.name, message.data.text);
    document.addEventListener("visibilitychange", () => this.onVisibility());
    this.hiddenTimer = 0;
    this.isResting = false;
    void this.lead();
  }

  /** Wait until this tab may read the stream, then read it until the tab is closed. */
  async lead() {
    if (!navigator.locks) {
      this.connect();
      return;
    }
    await navigator.locks.request("sf-live", () => new Promise((resolve) => {
      if (this.isClosed || this.isResting) {
        resolve(undefined);
        return;
      }
      this.release = () => resolve(undefined);
      this.connect();
    }));
  }

  connect() {
    if (this.isClosed) return;
    const source = new EventSource(this.url);
    this.source = source;
    source.onopen = (event) => {
      this.readyState = EventSource.OPEN;
      this.wait = FIRST_WAIT_MS;
      if (this.onopen) this.onopen(event);
    };
    source.onerror = () => {
      this.readyState = EventSource.CONNECTING;
      // While it is CONNECTING the browser tries again by itself.
      if (source.readyState === EventSource.CLOSED) void this.connectLater();
    };
    for (const name of NAMES) {
      source.addEventListener(name, (event) => {
        const text = /** @type {MessageEvent} */ (event).data;
        this.channel.postMessage({ name, text });
        this.tell(name, text);
      });
    }
  }

  async connectLater() {
    const wait = this.wait;
    this.wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    this.timer = window.setTimeout(async () => {
      // An event source does not say why it was refused; a small request does.
      const answer = await fetch("/f/live/links", { cache: "no-store" }).catch(() => null);
      if (answer && answer.status === 401) location.assign("/signin");
      else this.connect();
    }, wait + Math.random() * wait);
  }

  /**
   * @param {string} name
   * @param {string} text
   */
  tell(name, text) {
    if (name === "bye" && text === "signed_out") location.assign("/signin");
    window.dispatchEvent(new CustomEvent(`sf:${name}`, { detail: text }));
    this.dispatchEvent(new MessageEvent(name, { data: text }));
  }

  /** A tab that nobody has looked at for minutes lets go of the stream and catches up later. */
  onVisibility() {
    window.clearTimeout(this.hiddenTimer);
    if (document.hidden) {
      this.hiddenTimer = window.setTimeout(() => this.rest(), HIDDEN_CLOSE_MS);
    } else if (this.isResting) {
      this.isResting = false;
      this.tell("resync", "");
      void this.lead();
    }
  }

  rest() {
    this.isResting = true;
    this.hangUp();
  }

  hangUp() {
    window.clearTimeout(this.timer);
    if (this.source) this.source.close();
    this.source = null;
    if (this.release) this.release();
    this.release = null;
  }

  close() {
    this.isClosed = true;
    this.readyState = EventSource.CLOSED;
    this.hangUp();
    this.channel.close();
  }
}

// @ts-ignore htmx is a global of its own script.
window.htmx.createEventSource = (/** @type {string} */ url) => new Live(url);
