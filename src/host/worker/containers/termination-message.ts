import type { Container } from '../../../api/generated/core-v1.ts';
import type { ContainerInstance } from '../../../api/pool.ts';
import type { ContainerState } from '../../../runtime/sandbox-runtime.ts';
import { lastLines } from '../../logs/last-lines.ts';
import type { PodFiles } from '../pod-files.ts';

const LOG_LINES = 80;
const LOG_BYTES = 2048;

/** The container's own words about its end: its termination log, or the end of its log if it failed without any. */
export async function readTerminationMessage(
  files: PodFiles,
  instance: ContainerInstance,
  container: Container | undefined,
  record: ContainerState,
): Promise<string> {
  const message = await files.terminationLog(instance.metadata.name, record.name, record.attempt);
  if (message !== '' || container?.terminationMessagePolicy !== 'FallbackToLogsOnError') return message;
  if (record.exitCode === 0 || record.logPath === '') return '';
  return await lastLines(record.logPath, LOG_LINES, LOG_BYTES);
}
