import pino from 'pino';
import type { Logger } from '../base/log.ts';

/** Lines that could not be written are kept up to here, for when there is room again. */
const keptBytes = 256 * 1024;

/** JSON lines to a file or, without one, to standard error. Level by SKYPOD_LOG_LEVEL (default info). */
export function createLogger(component: string, file?: string): Logger {
  const level = process.env.SKYPOD_LOG_LEVEL ?? 'info';
  const destination = pino.destination({
    dest: file ?? 2,
    sync: true,
    append: true,
    mkdir: true,
    maxLength: keptBytes,
  });
  // The disk is full, say: what was to be logged is lost, and nothing else.
  destination.on('error', () => {});
  return pino(
    {
      level,
      base: { component },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: pino.stdSerializers.err },
    },
    destination,
  );
}
