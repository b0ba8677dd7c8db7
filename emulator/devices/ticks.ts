/** Ticks of an oscillator in virtual time: whole numbers, exact for years. */
const NS_PER_SECOND = 1e9;

/** Ticks that an oscillator of `hz` has made by virtual time `ns`. */
export function ticksAt(ns: number, hz: number): number {
  const seconds = Math.floor(ns / NS_PER_SECOND);
  return seconds * hz + Math.floor(((ns - seconds * NS_PER_SECOND) * hz) / NS_PER_SECOND);
}

/** The virtual nanosecond in which tick number `tick` is made. */
export function nsOfTick(tick: number, hz: number): number {
  const seconds = Math.floor(tick / hz);
  return seconds * NS_PER_SECOND + Math.ceil(((tick - seconds * hz) * NS_PER_SECOND) / hz);
}
