// Windows repeat every week, so a window is a span of the week: milliseconds since Sunday 00:00 of the calendar's own
// time. There is no time zone database in the component, hence no daylight saving time: the offset from UTC is fixed.

export const MINUTE = 60_000;
export const DAY = 24 * 60 * MINUTE;
export const WEEK = 7 * DAY;

/** The first day of the epoch was a Thursday. */
const EPOCH = 4 * DAY;

/** The days of the week in the order of their spans. */
export const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

/** One window of the settings as spans: one for each day that it begins on. One that ends before it begins ends on the next day. */
export function spans(days, from, to) {
  const length = to > from ? to - from : to + DAY - from;
  return days.map((day) => ({ start: DAYS.indexOf(day) * DAY + from, length }));
}

/**
 * How long until no window is open any more, in milliseconds; 0 where none is open. Windows that overlap or touch are
 * one. `Infinity` where they never end.
 */
export function remaining({ offset, windows }, now) {
  const begin = modulo(now + offset + EPOCH, WEEK);
  let end = begin;
  for (;;) {
    const later = Math.max(...windows.map((window) => endOf(window, end)));
    if (later === end) return end - begin;
    if (later - begin >= WEEK) return Infinity;
    end = later;
  }
}

/** When the window that is open at this moment of the week ends; the moment itself where it is not open. */
function endOf({ start, length }, moment) {
  const since = modulo(moment - start, WEEK);
  return since < length ? moment + length - since : moment;
}

function modulo(value, by) {
  return ((value % by) + by) % by;
}
