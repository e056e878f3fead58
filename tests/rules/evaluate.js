// Reads {rules, root, now, cases} from standard input and prints, for each case, whether targaryen
// allows it. A case is {auth, kind: read|write|update, path, value}.
'use strict';

const targaryen = require('targaryen');

let text = '';
process.stdin.on('data', (part) => { text += part; });
process.stdin.on('end', () => {
  const asked = JSON.parse(text);
  const start = targaryen.database(asked.rules, asked.root, asked.now);
  const answers = asked.cases.map((one) => {
    const database = start.as(one.auth);
    if (one.kind === 'read') return database.read(one.path, asked.now).allowed;
    if (one.kind === 'write') return database.write(one.path, one.value, { now: asked.now }).allowed;
    return database.update(one.path, one.value, { now: asked.now }).allowed;
  });
  process.stdout.write(JSON.stringify(answers));
});
