import type { Twin } from '../twin.ts';
import { MERGE, makeNamespace, pod, STRATEGIC } from './objects.ts';

/** Pods' own parts: binding, eviction, logs, exec, resize, ephemeral containers. */
export async function pods(twin: Twin): Promise<void> {
  const namespace = `pods-${twin.run}`;
  await makeNamespace(twin, namespace);
  const path = `/api/v1/namespaces/${namespace}/pods`;
  const post = (label: string, to: string, body: unknown) =>
    twin.ask(label, { method: 'POST', path: `${path}/${to}`, body: body as object });
  for (const name of ['a', 'b', 'c', 'd', 'e'])
    await twin.ask(`create ${name}`, {
      method: 'POST',
      path,
      body: pod(name, { metadata: { labels: { app: name } } }),
    });
  for (const query of [
    '',
    '?container=main',
    '?container=none',
    '?follow=true',
    '?previous=true',
    '?tailLines=-1',
    '?tailLines=x',
    '?sinceSeconds=0',
    '?sinceSeconds=5&sinceTime=2020-01-01T00:00:00Z',
    '?limitBytes=0',
    '?sinceTime=x',
    '?timestamps=x',
    '?stream=Stdout',
    '?stream=Other',
  ]) {
    await twin.ask(`log${query}`, { path: `${path}/a/log${query}` });
  }
  await twin.ask('log of nothing', { path: `${path}/none/log` });
  for (const part of ['exec', 'attach', 'portforward']) {
    for (const method of ['GET', 'POST']) {
      for (const query of [
        '',
        '?command=ls',
        '?command=ls&stdout=true',
        '?command=ls&stdout=true&container=none',
        '?ports=80',
        '?stdin=true&stdout=true&tty=true&stderr=true&command=x',
      ]) {
        await twin.ask(`${method} ${part}${query}`, { method, path: `${path}/a/${part}${query}` });
      }
      await twin.ask(`${method} ${part} of nothing`, { method, path: `${path}/none/${part}?command=ls&stdout=true` });
    }
  }
  for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'HEAD']) {
    for (const target of ['a/proxy', 'a/proxy/', 'a/proxy/x', 'a:80/proxy/', 'https:a:443/proxy/', 'none/proxy/'])
      await twin.ask(`${method} ${target}`, { method, path: `${path}/${target}` });
    for (const target of ['none/proxy/', 'none:80/proxy/x', 'https:none:x/proxy']) {
      await twin.ask(`${method} service ${target}`, {
        method,
        path: `/api/v1/namespaces/${namespace}/services/${target}`,
      });
    }
    await twin.ask(`${method} node proxy`, { method, path: '/api/v1/nodes/none/proxy/' });
  }
  const target = { kind: 'Node', name: 'nowhere' };
  for (const [label, body] of Object.entries<object>({
    empty: {},
    'other name': { metadata: { name: 'x' }, target },
    'no target': { metadata: { name: 'a' } },
    'other kind': { metadata: { name: 'a' }, target: { kind: 'Pod', name: 'x' } },
    'other uid': { metadata: { name: 'a', uid: 'x' }, target },
    'wrong type': { kind: 'Pod', apiVersion: 'v1', metadata: { name: 'a' } },
    good: { metadata: { name: 'a', annotations: { x: 'y' } }, target },
    again: { metadata: { name: 'a' }, target },
  }))
    await post(`binding ${label}`, 'a/binding', body);
  await post('binding of nothing', 'none/binding', { metadata: { name: 'none' }, target });
  await twin.ask('bindings', {
    method: 'POST',
    path: `/api/v1/namespaces/${namespace}/bindings`,
    body: { metadata: { name: 'b' }, target },
  });
  await twin.ask('bound', { path: `${path}/a` });
  await twin.ask('bound of bindings', { path: `${path}/b` });
  for (const [label, body] of Object.entries<object>({
    empty: {},
    'other name': { metadata: { name: 'x' } },
    dry: { metadata: { name: 'c' }, deleteOptions: { dryRun: ['All'] } },
    precondition: { metadata: { name: 'c' }, deleteOptions: { preconditions: { uid: 'x' } } },
    v1beta1: { kind: 'Eviction', apiVersion: 'policy/v1beta1', metadata: { name: 'c' } },
    'wrong kind': { kind: 'Pod', apiVersion: 'v1', metadata: { name: 'c' } },
    good: { metadata: { name: 'c' } },
    gone: { metadata: { name: 'c' } },
  }))
    await post(`evict ${label}`, 'c/eviction', body);
  const budget = { metadata: { name: 'd' }, spec: { minAvailable: 1, selector: { matchLabels: { app: 'd' } } } };
  const budgets = `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets`;
  await twin.ask('a budget', { method: 'POST', path: budgets, body: budget });
  await twin.prepare({
    method: 'PATCH',
    path: `${path}/d/status`,
    type: MERGE,
    body: { status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] } },
  });
  await post('evict against an unobserved budget', 'd/eviction', { metadata: { name: 'd' } });
  await twin.ask('observed', {
    method: 'PATCH',
    path: `${budgets}/d/status`,
    type: MERGE,
    body: {
      status: { observedGeneration: 1, disruptionsAllowed: 0, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 },
    },
  });
  await post('evict against a budget', 'd/eviction', { metadata: { name: 'd' } });
  await twin.ask('another budget', { method: 'POST', path: budgets, body: { ...budget, metadata: { name: 'd2' } } });
  await post('evict against two budgets', 'd/eviction', { metadata: { name: 'd' } });
  await twin.ask('ephemeral', {
    method: 'PATCH',
    path: `${path}/e/ephemeralcontainers`,
    type: STRATEGIC,
    body: { spec: { ephemeralContainers: [{ name: 'debug', image: 'x' }] } },
  });
  await twin.ask('ephemeral changed', {
    method: 'PATCH',
    path: `${path}/e/ephemeralcontainers`,
    type: STRATEGIC,
    body: { spec: { ephemeralContainers: [{ name: 'debug', image: 'y' }] } },
  });
  await twin.ask('ephemeral by update', {
    method: 'PATCH',
    path: `${path}/e`,
    type: STRATEGIC,
    body: { spec: { ephemeralContainers: [{ name: 'more', image: 'y' }] } },
  });
  await twin.ask('resize', {
    method: 'PATCH',
    path: `${path}/e/resize`,
    type: STRATEGIC,
    body: { spec: { containers: [{ name: 'main', resources: { requests: { cpu: '1' } } }] } },
  });
  await twin.ask('get resize', { path: `${path}/e/resize` });
  await twin.ask('get ephemeral', { path: `${path}/e/ephemeralcontainers` });
  await twin.ask('image', {
    method: 'PATCH',
    path: `${path}/e`,
    type: STRATEGIC,
    body: { spec: { containers: [{ name: 'main', image: 'other' }] } },
  });
  await twin.ask('spec changed', {
    method: 'PATCH',
    path: `${path}/e`,
    type: MERGE,
    body: { spec: { restartPolicy: 'Never' } },
  });
  await twin.ask('node by update', {
    method: 'PATCH',
    path: `${path}/e`,
    type: MERGE,
    body: { spec: { nodeName: 'x' } },
  });
  await twin.ask('status', {
    method: 'PATCH',
    path: `${path}/e/status`,
    type: STRATEGIC,
    body: {
      status: {
        phase: 'Running',
        podIP: '10.0.0.1',
        podIPs: [{ ip: '10.0.0.1' }],
        hostIP: '10.1.1.1',
        startTime: '2026-01-01T00:00:00Z',
        containerStatuses: [
          {
            name: 'main',
            ready: true,
            restartCount: 3,
            image: 'x',
            imageID: 'y',
            state: { running: { startedAt: '2026-01-01T00:00:00Z' } },
            lastState: { terminated: { exitCode: 1, reason: 'Error', finishedAt: '2026-01-01T00:00:00Z' } },
          },
        ],
      },
    },
  });
  await twin.ask('as a table', {
    path: `${path}?fieldSelector=metadata.name%3De`,
    accept: 'application/json;as=Table;v=v1;g=meta.k8s.io',
  });
}
