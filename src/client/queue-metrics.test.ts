import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../base/clock.ts';
import { QueueMetrics } from './queue-metrics.ts';
import { WorkQueue } from './work-queue.ts';

function queueOf(metrics: QueueMetrics, name: string, clock = new ManualClock()): WorkQueue {
  const queue: WorkQueue = new WorkQueue({ clock, observer: metrics.queue(name, () => queue.state()) });
  return queue;
}

function shown({ metrics }: QueueMetrics): (series: string) => number | undefined {
  const lines: string[] = [];
  for (const metric of metrics) metric.write(lines);
  return (series) => {
    const line = lines.find((one) => one.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.split(' ').at(-1));
  };
}

test('queues tell what was added, waits, is worked on and comes back', async () => {
  const metrics = new QueueMetrics();
  const clock = new ManualClock();
  const queue = queueOf(metrics, 'deployment', clock);
  queueOf(metrics, 'job').add('other');
  queue.add('a');
  queue.add('a');
  queue.add('b');
  const first = (await queue.next())!;
  // Looked at again after: it waits while it is worked on.
  queue.add(first);
  let value = shown(metrics);
  assert.equal(value('workqueue_adds_total{name="deployment"}'), 3);
  assert.equal(value('workqueue_depth{name="deployment"}'), 2);
  assert.equal(value('workqueue_depth{name="job"}'), 1);
  assert.equal(value('workqueue_queue_duration_seconds_count{name="deployment"}'), 1);
  assert.equal(value('workqueue_work_duration_seconds_count{name="deployment"}'), 0);
  assert.ok(value('workqueue_unfinished_work_seconds{name="deployment"}')! > 0);
  assert.equal(value('workqueue_longest_running_processor_seconds{name="job"}'), 0);

  queue.addRateLimited('c');
  queue.done(first);
  value = shown(metrics);
  assert.equal(value('workqueue_retries_total{name="deployment"}'), 1);
  assert.equal(value('workqueue_work_duration_seconds_count{name="deployment"}'), 1);
  assert.equal(value('workqueue_unfinished_work_seconds{name="deployment"}'), 0);
  assert.equal(value('workqueue_depth{name="deployment"}'), 2, 'c only comes back when its time is up');
  clock.advance(10);
  assert.equal(shown(metrics)('workqueue_depth{name="deployment"}'), 3);
});

test('a queue that begins anew takes the place of the one before it', () => {
  const metrics = new QueueMetrics();
  queueOf(metrics, 'job').add('a');
  queueOf(metrics, 'job');
  const value = shown(metrics);
  assert.equal(value('workqueue_depth{name="job"}'), 0);
  assert.equal(value('workqueue_adds_total{name="job"}'), 1);
});
