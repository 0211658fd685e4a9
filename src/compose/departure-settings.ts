import type { DepartureOptions, Leaving } from '../apiserver/departure/departure.ts';
import { CommandError } from './command-error.ts';

/** Names and defaults as of kube-apiserver's flags. */
export interface DepartureFlags {
  goawayChance?: string;
  shutdownDelayDuration?: string;
  shutdownSendRetryAfter?: string | boolean;
  shutdownWatchTerminationGracePeriod?: string;
}

export const departureFlags: [keyof DepartureFlags, string, string, string?][] = [
  [
    'goawayChance',
    '--goaway-chance <fraction>',
    'how likely a request over HTTP/2 makes its client connect anew, so that clients spread (0 to 0.02; only behind a load balancer)',
    '0',
  ],
  [
    'shutdownDelayDuration',
    '--shutdown-delay-duration <time>',
    'how long everything but /readyz goes on when the process is to end, for load balancers to leave',
    '0s',
  ],
  [
    'shutdownSendRetryAfter',
    '--shutdown-send-retry-after [true|false]',
    'requests that come while the last answers go out get 429, instead of no connection',
  ],
  [
    'shutdownWatchTerminationGracePeriod',
    '--shutdown-watch-termination-grace-period <time>',
    'for how long, at most, watches end one after the other when the process is to end (default: 0s, all at once)',
  ],
];

export interface DepartureSettings {
  options: DepartureOptions;
  leaving: Leaving;
}

/** As upstream's --request-timeout, which bounds what is waited for. */
const drainMs = 60_000;

/** `parseDuration`: of a flag's text, in milliseconds. */
export function parseDeparture(
  given: DepartureFlags,
  parseDuration: (option: string, text: string) => number,
): DepartureSettings {
  const chance = given.goawayChance ?? '0';
  const goawayChance = /^\d*\.?\d+$/.test(chance) ? Number(chance) : Number.NaN;
  if (!(goawayChance >= 0 && goawayChance <= 0.02))
    throw new CommandError(`--goaway-chance ${chance}: it cannot be less than 0 or greater than 0.02`);
  const delay = given.shutdownDelayDuration ?? '0s';
  const orZero = (option: string, text: string) => (/^0(ms|s|m|h)?$/.test(text) ? 0 : parseDuration(option, text));
  const watchGraceMs = orZero(
    '--shutdown-watch-termination-grace-period',
    given.shutdownWatchTerminationGracePeriod ?? '0s',
  );
  const retry = String(given.shutdownSendRetryAfter ?? false);
  if (retry !== 'true' && retry !== 'false')
    throw new CommandError(`--shutdown-send-retry-after ${retry} is not known: true or false`);
  return {
    options: { goawayChance, sendRetryAfter: retry === 'true', watchGraceMs },
    leaving: { delayMs: orZero('--shutdown-delay-duration', delay), drainMs },
  };
}
