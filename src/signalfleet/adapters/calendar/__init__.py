"""The operator's calendar of news: a file or an address, in iCalendar or JSON. It holds no data."""
