let lastSuffix = 0n;

/** Nanoseconds since the epoch in hexadecimal, as upstream names events; made unique within the process. */
export function eventSuffix(nowMs: number): string {
  let nanoseconds = BigInt(Math.floor(nowMs)) * 1_000_000n + BigInt(Math.floor(Math.random() * 1_000_000));
  if (nanoseconds === lastSuffix) nanoseconds += 1n;
  lastSuffix = nanoseconds;
  return nanoseconds.toString(16);
}
