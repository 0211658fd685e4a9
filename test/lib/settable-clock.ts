/**
 * Loaded before a process' own code (`--import`): each SIGUSR2 sets its clock, in turn an hour forward, an hour back and
 * right again. What measures spans of time (`performance.now`, timers) goes on, as when a machine's clock is set.
 */
const hourMs = 3_600_000;
const offsetsMs = [hourMs, -hourMs, 0];
let turn = 0;
let offsetMs = 0;

const RealDate = Date;
class SetDate extends RealDate {
  constructor(...given: unknown[]) {
    if (given.length === 0) super(RealDate.now() + offsetMs);
    else super(...(given as [number]));
  }

  static override now(): number {
    return RealDate.now() + offsetMs;
  }
}
globalThis.Date = SetDate as DateConstructor;

/** Among the lines of its log, so that the times of those after it can be told. */
const say = (msg: string) =>
  process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), msg, offsetMs })}\n`);
say('the clock is right');
process.on('SIGUSR2', () => {
  offsetMs = offsetsMs[turn++ % offsetsMs.length]!;
  say('the clock was set');
});
