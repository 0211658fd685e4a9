import { sleep } from '../base/abort.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { SandboxRuntime } from '../runtime/sandbox-runtime.ts';
import { hostStatus, type Machine } from './host-status.ts';
import type { HostStatusWriter } from './registration.ts';
import type { RuntimeCache } from './runtime-cache.ts';

const INTERVAL_MS = 10_000;
const RETRY_MS = 1000;

export interface ReportHostOptions {
  machine: Machine;
  capacity?: { cpu?: string; memory?: string; pods?: string };
  runtime: SandboxRuntime;
  cache: RuntimeCache;
  streaming: { address: string; port: number };
  statusWriter: HostStatusWriter;
  clock: Clock;
  logger: Logger;
}

/** Keeps the Host's status true until the signal. */
export async function reportHost(options: ReportHostOptions, signal: AbortSignal): Promise<void> {
  let failing = false;
  while (!signal.aborted) {
    let ok = false;
    try {
      ok = await reportOnce(options);
      failing = false;
    } catch (error) {
      if (!failing) options.logger.warn({ error }, "the host's status could not be written");
      failing = true;
    }
    await sleep(ok ? INTERVAL_MS : RETRY_MS, signal);
  }
}

/** Whether the runtime is fine: if not, the next look comes soon. */
async function reportOnce(options: ReportHostOptions): Promise<boolean> {
  const { machine, runtime, cache, streaming, statusWriter, clock } = options;
  let problem = cache.failure;
  let version = statusWriter.written?.runtime ?? { name: '', version: '' };
  let images: Awaited<ReturnType<SandboxRuntime['listImages']>> | undefined;
  try {
    const { ready, message } = await runtime.ready();
    if (!ready) problem ??= message ?? 'the sandbox runtime is not ready';
    else {
      const { runtimeName, runtimeVersion } = await runtime.version();
      version = { name: runtimeName, version: runtimeVersion };
      images = await runtime.listImages();
    }
  } catch (error) {
    problem ??= (error as Error).message;
  }
  const previous = statusWriter.written;
  const status = hostStatus({
    machine,
    capacity: options.capacity ?? {},
    images: images ?? [],
    runtime: version,
    streaming,
    problem,
    previous,
    now: clock.now(),
  });
  await statusWriter.write(images === undefined ? { ...status, images: previous?.images ?? [] } : status);
  return problem === undefined;
}
