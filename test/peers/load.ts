import type { Endpoint } from './http2-client.ts';
import { type Outcome, runWorkload, type Workload } from './workloads.ts';

/** The generator of load, a process of its own: told what to do by its parent, and says when the clock runs. */
export type LoadCommand = { endpoint: Endpoint; workload: Workload };
export type LoadMessage =
  | { type: 'start' | 'stop' }
  | { type: 'done'; outcome: Outcome }
  | { type: 'failed'; error: string };

const tell = (message: LoadMessage) => process.send!(message);

process.on('message', ({ endpoint, workload }: LoadCommand) => {
  runWorkload(
    endpoint,
    workload,
    () => tell({ type: 'start' }),
    () => tell({ type: 'stop' }),
  ).then(
    (outcome) => tell({ type: 'done', outcome }),
    (error: Error) => tell({ type: 'failed', error: error.stack ?? error.message }),
  );
});
process.on('disconnect', () => process.exit());
