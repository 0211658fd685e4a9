import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { eventually } from '../../lib/eventually.ts';
import { image } from '../../lib/images.ts';
import type { Kubectl } from '../../lib/kubectl.ts';
import { type Cluster, podOf, shell } from './cluster.ts';

export function lifeTests(cluster: Cluster): void {
  describe('the life of containers', () => {
    let kubectl: Kubectl;
    before(() => {
      ({ kubectl } = cluster);
    });
    const { status, phase, waiting } = cluster;

    it('restarts what fails, with back-off, and keeps the previous log', async () => {
      await kubectl.input(podOf('failing', { containers: [shell('main', 'echo run; exit 7')] }), 'apply', '-f', '-');
      await waiting('failing', 'CrashLoopBackOff');
      assert.equal(await status('failing', 'containerStatuses[0].lastState.terminated.exitCode'), '7');
      assert.match(
        await status('failing', 'containerStatuses[0].state.waiting.message'),
        /^back-off \d+m?\d*s restarting failed container=main pod=failing_default\(/,
      );
      assert.equal(await kubectl('logs', '--previous', 'failing'), 'run\n');
      assert.match(await kubectl('get', 'pod', 'failing'), /CrashLoopBackOff/);
      // Events are told after the status, and wait for their turn.
      await eventually('the back-off is told', async () =>
        /Warning +BackOff +.*Back-off restarting failed container main in pod failing_default/.test(
          await kubectl('describe', 'pod', 'failing'),
        ),
      );
      await kubectl('delete', 'pod', 'failing', '--now');
    });

    it('says what is wrong with an image, a command, a reference', async () => {
      const pods: [string, object, string][] = [
        ['no-image', { image: image('does-not-exist') }, 'ImagePullBackOff'],
        ['bad-image', { image: 'UPPER/case:%' }, 'InvalidImageName'],
        [
          'no-reference',
          { env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'not-there', key: 'a' } } }] },
          'CreateContainerConfigError',
        ],
      ];
      for (const [name, more] of pods)
        await kubectl.input(podOf(name, { containers: [shell('main', 'sleep 1000', more)] }), 'apply', '-f', '-');
      await kubectl.input(
        podOf('no-command', { containers: [{ name: 'main', image: image('busybox'), command: ['/no/such/command'] }] }),
        'apply',
        '-f',
        '-',
      );
      for (const [name, , reason] of pods) await waiting(name, reason);
      const message = await eventually('the missing command is told', async () => {
        const pod = await kubectl.json('get', 'pod', 'no-command');
        const state = pod.status.containerStatuses?.[0];
        return (
          state?.lastState?.terminated?.message ?? state?.state?.terminated?.message ?? state?.state?.waiting?.message
        );
      });
      assert.match(message, /no such file or directory|not found/);
      assert.match(await kubectl('describe', 'pod', 'no-reference'), /configmap "not-there" not found/);
      // The reference appears, and so the container starts.
      await kubectl('create', 'configmap', 'not-there', '--from-literal=a=now');
      await kubectl('wait', '--for=condition=Ready', 'pod/no-reference', '--timeout=180s');
      assert.equal(await kubectl('exec', 'no-reference', '--', 'sh', '-c', 'echo $A'), 'now\n');
      await kubectl('delete', 'pod', 'no-image', 'bad-image', 'no-reference', 'no-command', '--now');
    });

    it('init containers run first and in order', async () => {
      const mount = { volumeMounts: [{ name: 'shared', mountPath: '/shared' }] };
      await kubectl.input(
        podOf('ordered', {
          restartPolicy: 'Never',
          volumes: [{ name: 'shared', emptyDir: {} }],
          initContainers: [
            shell('first', 'echo first >> /shared/order', mount),
            shell('second', 'echo second >> /shared/order', mount),
          ],
          containers: [shell('main', 'cat /shared/order', mount)],
        }),
        'apply',
        '-f',
        '-',
      );
      await phase('ordered', 'Succeeded');
      assert.equal(await kubectl('logs', 'ordered'), 'first\nsecond\n');
      await kubectl('delete', 'pod', 'ordered');
    });

    it('probes: a failing liveness probe restarts, a readiness probe takes out of the service', async () => {
      await kubectl.input(
        podOf('probed', {
          containers: [
            shell('main', 'touch /tmp/ready /tmp/alive; sleep 100000', {
              livenessProbe: { exec: { command: ['cat', '/tmp/alive'] }, periodSeconds: 1, failureThreshold: 2 },
              readinessProbe: { exec: { command: ['cat', '/tmp/ready'] }, periodSeconds: 1, failureThreshold: 1 },
            }),
          ],
          terminationGracePeriodSeconds: 1,
        }),
        'apply',
        '-f',
        '-',
      );
      await kubectl('wait', '--for=condition=Ready', 'pod/probed', '--timeout=120s');
      await kubectl('exec', 'probed', '--', 'rm', '/tmp/ready');
      await kubectl('wait', '--for=condition=Ready=false', 'pod/probed', '--timeout=120s');
      await kubectl('exec', 'probed', '--', 'touch', '/tmp/ready');
      await kubectl('wait', '--for=condition=Ready', 'pod/probed', '--timeout=120s');
      await kubectl('exec', 'probed', '--', 'rm', '/tmp/alive');
      await eventually(
        'the container is restarted',
        async () => Number(await status('probed', 'containerStatuses[0].restartCount')) >= 1,
      );
      assert.match(await kubectl('describe', 'pod', 'probed'), /Warning +Unhealthy .*Liveness probe failed/);
      await kubectl('delete', 'pod', 'probed', '--now');
    });

    it('preStop runs, and termination is graceful', async () => {
      await kubectl.input(
        podOf('graceful', {
          terminationGracePeriodSeconds: 30,
          containers: [
            shell('main', 'trap "echo got-term; exit 0" TERM; while true; do sleep 0.1; done', {
              lifecycle: { preStop: { exec: { command: ['sh', '-c', 'echo pre-stop > /proc/1/fd/1'] } } },
            }),
          ],
        }),
        'apply',
        '-f',
        '-',
      );
      await kubectl('wait', '--for=condition=Ready', 'pod/graceful', '--timeout=120s');
      const follow = kubectl.start('logs', '-f', 'graceful');
      let text = '';
      follow.stdout.on('data', (chunk) => (text += chunk));
      await kubectl('delete', 'pod', 'graceful');
      await eventually('the log tells both', () => text.includes('pre-stop') && text.includes('got-term'));
      assert.ok(text.indexOf('pre-stop') < text.indexOf('got-term'), text);
      follow.kill();
    });

    it('runs jobs to their completion', async () => {
      await kubectl('create', 'job', 'sum', `--image=${image('busybox')}`, '--', 'sh', '-c', 'echo $((40+2))');
      await kubectl('wait', '--for=condition=complete', 'job/sum', '--timeout=180s');
      assert.equal(await kubectl('logs', 'job/sum'), '42\n');
      assert.match(await kubectl('get', 'job', 'sum'), /Complete +1\/1/);
      await kubectl('delete', 'job', 'sum');
    });
  });
}
