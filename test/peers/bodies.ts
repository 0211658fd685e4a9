/** What is written: the same pod as JSON and as protobuf (k8s.io/api core/v1 generated.proto), and patches of it. */

export const JSON_TYPE = 'application/json';
export const PROTOBUF_TYPE = 'application/vnd.kubernetes.protobuf';
export type Encoding = 'json' | 'protobuf';
export const mediaTypeOf = (encoding: Encoding) => (encoding === 'json' ? JSON_TYPE : PROTOBUF_TYPE);

/** Nobody binds them: neither side's scheduler is what is compared. */
const schedulerName = 'nobody';

function podObject(name: string): object {
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: { name, labels: { app: 'bench', tier: 'backend' }, annotations: { 'example.com/owner': 'team-a' } },
    spec: {
      schedulerName,
      containers: [
        {
          name: 'main',
          image: 'registry.example/app:1',
          command: ['/bin/app', '--serve'],
          env: [
            { name: 'A', value: 'b' },
            { name: 'LISTEN', value: '0.0.0.0:8080' },
          ],
          ports: [{ containerPort: 8080, protocol: 'TCP' }],
          resources: { requests: { cpu: '250m', memory: '128Mi' }, limits: { memory: '256Mi' } },
        },
      ],
    },
  };
}

export function podBody(name: string, encoding: Encoding): Buffer {
  if (encoding === 'json') return Buffer.from(JSON.stringify(podObject(name)));
  const container = message(
    text(1, 'main'),
    text(2, 'registry.example/app:1'),
    text(3, '/bin/app'),
    text(3, '--serve'),
    nested(6, number(3, 8080), text(4, 'TCP')),
    nested(7, text(1, 'A'), text(2, 'b')),
    nested(7, text(1, 'LISTEN'), text(2, '0.0.0.0:8080')),
    nested(
      8,
      nested(1, text(1, 'memory'), nested(2, text(1, '256Mi'))),
      nested(2, text(1, 'cpu'), nested(2, text(1, '250m'))),
      nested(2, text(1, 'memory'), nested(2, text(1, '128Mi'))),
    ),
  );
  const pod = message(
    nested(
      1,
      text(1, name),
      nested(11, text(1, 'app'), text(2, 'bench')),
      nested(11, text(1, 'tier'), text(2, 'backend')),
      nested(12, text(1, 'example.com/owner'), text(2, 'team-a')),
    ),
    nested(2, field(2, container), text(19, schedulerName)),
  );
  const typeMeta = nested(1, text(1, 'v1'), text(2, 'Pod'));
  return Buffer.concat([Buffer.from('k8s\0'), typeMeta, field(2, pod)]);
}

export function configMapBody(name: string): Buffer {
  const data = { payload: 'x'.repeat(1000) };
  return Buffer.from(JSON.stringify({ kind: 'ConfigMap', apiVersion: 'v1', metadata: { name }, data }));
}

export const patches = {
  merge: {
    contentType: 'application/merge-patch+json',
    body: (value: number) => Buffer.from(JSON.stringify({ metadata: { annotations: { merged: String(value) } } })),
  },
  strategic: {
    contentType: 'application/strategic-merge-patch+json',
    body: (value: number) =>
      Buffer.from(
        JSON.stringify({
          metadata: { labels: { patched: String(value) } },
          spec: { containers: [{ name: 'main', image: `registry.example/app:${value}` }] },
        }),
      ),
  },
  apply: {
    contentType: 'application/apply-patch+yaml',
    body: (value: number) =>
      Buffer.from(
        JSON.stringify({ kind: 'Pod', apiVersion: 'v1', metadata: { annotations: { applied: String(value) } } }),
      ),
  },
} as const;
export type PatchKind = keyof typeof patches;

const message = (...fields: Buffer[]) => Buffer.concat(fields);

function varint(value: number): Buffer {
  const out: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) out.push((value % 128) + 128);
  out.push(value);
  return Buffer.from(out);
}

function field(id: number, bytes: Buffer): Buffer {
  return Buffer.concat([varint(id * 8 + 2), varint(bytes.length), bytes]);
}
const text = (id: number, value: string) => field(id, Buffer.from(value));
const nested = (id: number, ...fields: Buffer[]) => field(id, message(...fields));
const number = (id: number, value: number) => Buffer.concat([varint(id * 8), varint(value)]);
