import { ManualClock } from '../clock.ts';

/** A machine's clock that somebody sets, forward or back: no span of time gets longer or shorter by that. */
export class SettableClock extends ManualClock {
  offsetMs = 0;

  override now(): number {
    return super.now() + this.offsetMs;
  }

  monotonic(): number {
    return super.now();
  }
}
