import type { Twin } from '../../twin.ts';
import { PARTIAL, PARTIAL_LIST, PROTOBUF, TABLE } from '../objects.ts';
import { Several } from '../several.ts';

/** The forms in which a client would have it. */
export async function forms(twin: Twin, maps: string, pods: string): Promise<void> {
  const several = new Several();
  const targets: [string, string][] = [
    ['list', maps],
    ['get', `${maps}/a`],
    ['pods', pods],
    ['pod', `${pods}/p`],
    ['missing', `${maps}/missing`],
    ['watch', `${maps}?watch=1&resourceVersion=0&timeoutSeconds=1`],
  ];
  const accepts = [
    '*/*',
    'application/*',
    'application/json',
    'application/yaml',
    'text/html',
    'text/plain',
    'application/xml',
    'image/png',
    '',
    'application/json;q=0.5,application/yaml',
    'text/html,application/json;q=0.1',
    'application/json;pretty=1',
    'application/json;stream=watch',
    'application/yaml;stream=watch',
    'application/cbor',
    'application/cbor-seq',
    'application/json;charset=utf-8',
    'garbage',
    ';;',
    ',',
    TABLE,
    PARTIAL,
    PARTIAL_LIST,
    'application/json;as=Table;v=v1;g=meta.k8s.io',
    'application/json;as=Table;v=v1beta1;g=meta.k8s.io',
    'application/json;as=Table;v=v2;g=meta.k8s.io',
    'application/json;as=Table;v=v1;g=other',
    'application/json;as=Other;v=v1;g=meta.k8s.io',
    'application/json;as=PartialObjectMetadata;v=v1beta1;g=meta.k8s.io',
    'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
    'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
    'application/yaml;as=Table;v=v1;g=meta.k8s.io',
    'application/json;as=Table',
    'application/json;v=v1;g=meta.k8s.io',
    'application/json;as=Table;v=v2;g=meta.k8s.io,application/json',
  ];
  for (const [what, path] of targets) {
    for (const accept of accepts) {
      await several.start(
        twin.ask(
          `${what} as ${accept || 'nothing'}`,
          { path, ...(accept !== '' && { accept }) },
          {
            reduce: ({ json, text }) =>
              json ?? (text.startsWith('{') ? text.split('\n').map(parsed) : text.split('\n').map(scrubbed)),
          },
        ),
      );
    }
    const protobuf = [
      PROTOBUF,
      `${PROTOBUF};as=Table;v=v1;g=meta.k8s.io`,
      `${PROTOBUF};as=PartialObjectMetadata;v=v1;g=meta.k8s.io`,
      `${PROTOBUF};as=PartialObjectMetadataList;v=v1;g=meta.k8s.io`,
      `${PROTOBUF};stream=watch`,
      `${PROTOBUF},application/json`,
    ];
    for (const accept of protobuf)
      await several.start(twin.ask(`${what} as ${accept}`, { path, accept }, { bodyIgnored: true }));
    for (const pretty of ['1', 'true', '0', 'false', '', 'x']) {
      const joined = path.includes('?') ? `${path}&pretty=${pretty}` : `${path}?pretty=${pretty}`;
      await several.start(
        twin.ask(
          `${what} pretty=${pretty}`,
          { path: joined },
          {
            reduce: ({ text }) =>
              text
                .split('\n')
                .slice(0, 3)
                .map((line) => line.slice(0, 40)),
          },
        ),
      );
    }
    for (const agent of ['curl/8.0', 'Wget/1.21', 'Mozilla/5.0 (X11)', 'kubectl/1.36']) {
      await several.start(
        twin.ask(
          `${what} by ${agent}`,
          { path, headers: { 'user-agent': agent } },
          {
            reduce: ({ text }) =>
              text
                .split('\n')
                .slice(0, 3)
                .map((line) => line.slice(0, 40)),
          },
        ),
      );
    }
    for (const include of ['None', 'Metadata', 'Object', 'Other', '']) {
      const joined = path.includes('?') ? `${path}&includeObject=${include}` : `${path}?includeObject=${include}`;
      await several.start(
        twin.ask(
          `${what} table with ${include}`,
          { path: joined, accept: TABLE },
          { reduce: ({ json, text }) => json ?? text.split('\n').map(parsed), replace: [[/"\d+s"/g, '"<age>"']] },
        ),
      );
      await several.start(
        twin.ask(
          `${what} without table with ${include}`,
          { path: joined },
          { reduce: ({ json, text }) => json ?? text.split('\n').map(parsed) },
        ),
      );
    }
    await several.start(
      twin.ask(`${what} gzip`, { path, headers: { 'accept-encoding': 'gzip' } }, { bodyIgnored: true }),
    );
    await several.start(twin.ask(`HEAD ${what}`, { method: 'HEAD', path }));
  }
  await several.end();
}

const scrubbed = (line: string) => line.replace(/resourceVersion: "?\d+"?/, 'resourceVersion: <revision>');

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return line;
  }
}
