import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { needsKubectl } from '../lib/kubectl.ts';
import { type Skypod, startSkypod } from '../lib/skypod.ts';

const deployment = (name: string, more: { replicas?: number; image?: string; annotations?: object } = {}) =>
  JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, labels: { app: name }, annotations: more.annotations },
    spec: {
      replicas: more.replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: 'main', image: more.image ?? 'example.test/web:1' }] },
      },
    },
  });

/** Who owns what, as a real kubectl sees it. */
describe('kubectl apply --server-side', { skip: needsKubectl(28) }, () => {
  let skypod: Skypod;
  before(async () => {
    skypod = await startSkypod({ runtime: 'simulated' });
  });
  after(async () => {
    await skypod?.destroy();
  });

  const managersOf = async (name: string) => {
    const { metadata } = await skypod.kubectl.json('get', 'deployment', name, '--show-managed-fields');
    return metadata.managedFields as any[];
  };
  const ownerOf = async (name: string, manager: string, subresource?: string) =>
    (await managersOf(name)).find((entry) => entry.manager === manager && entry.subresource === subresource);

  it('creates, owns what it says, and does nothing the second time', async () => {
    const { kubectl } = skypod;
    const manifest = deployment('created', { replicas: 2 });
    assert.equal(
      await kubectl.input(manifest, 'apply', '--server-side', '-f', '-'),
      'deployment.apps/created serverside-applied\n',
    );
    const entry = await ownerOf('created', 'kubectl');
    assert.equal(entry.operation, 'Apply');
    assert.equal(entry.apiVersion, 'apps/v1');
    assert.equal(entry.fieldsType, 'FieldsV1');
    assert.deepEqual(entry.fieldsV1, {
      'f:metadata': { 'f:labels': { 'f:app': {} } },
      'f:spec': {
        'f:replicas': {},
        'f:selector': {},
        'f:template': {
          'f:metadata': { 'f:labels': { 'f:app': {} } },
          'f:spec': { 'f:containers': { 'k:{"name":"main"}': { '.': {}, 'f:image': {}, 'f:name': {} } } },
        },
      },
    });
    await kubectl('rollout', 'status', 'deployment/created');
    const { metadata } = await kubectl.json('get', 'deployment', 'created');
    assert.equal(metadata.managedFields, undefined, 'kubectl hides them unless asked');
    await kubectl.input(manifest, 'apply', '--server-side', '-f', '-');
    assert.deepEqual(await ownerOf('created', 'kubectl'), entry);
  });

  it('refuses to take what another manager owns, in upstream’s words, unless forced', async () => {
    const { kubectl } = skypod;
    await kubectl.input(deployment('contested', { replicas: 1 }), 'apply', '--server-side', '-f', '-');
    await kubectl('scale', 'deployment/contested', '--replicas=3');
    assert.deepEqual((await ownerOf('contested', 'kubectl', 'scale')).fieldsV1, { 'f:spec': { 'f:replicas': {} } });

    const refused = await kubectl.tryInput(
      deployment('contested', { replicas: 5 }),
      'apply',
      '--server-side',
      '-f',
      '-',
    );
    assert.notEqual(refused.code, 0);
    assert.match(
      refused.stderr,
      /Apply failed with 1 conflict: conflict with "kubectl" with subresource "scale" using apps\/v1: \.spec\.replicas/,
    );
    assert.match(refused.stderr, /--force-conflicts/);

    const forced = ['apply', '--server-side', '--force-conflicts', '-f', '-'];
    await kubectl.input(deployment('contested', { replicas: 5 }), ...forced);
    assert.equal((await kubectl.json('get', 'deployment', 'contested')).spec.replicas, 5);
    assert.equal(await ownerOf('contested', 'kubectl', 'scale'), undefined);
  });

  it('removes what is no longer applied, and leaves what others own', async () => {
    const { kubectl } = skypod;
    const annotated = deployment('shrinking', { replicas: 2, annotations: { mine: 'x', both: 'y' } });
    await kubectl.input(annotated, 'apply', '--server-side', '-f', '-');
    const other = ['apply', '--server-side', '--field-manager=other', '-f', '-'];
    await kubectl.input(deployment('shrinking', { annotations: { both: 'y', theirs: 'z' } }), ...other);
    await kubectl.input(deployment('shrinking', { replicas: 2 }), 'apply', '--server-side', '-f', '-');
    const { metadata } = await kubectl.json('get', 'deployment', 'shrinking');
    assert.equal(metadata.annotations.mine, undefined);
    assert.equal(metadata.annotations.both, 'y');
    assert.equal(metadata.annotations.theirs, 'z');
  });

  it('tells a dry run and a diff from the real thing', async () => {
    const { kubectl } = skypod;
    await kubectl.input(deployment('tried', { replicas: 1 }), 'apply', '--server-side', '-f', '-');
    const dry = ['apply', '--server-side', '--dry-run=server', '-o', 'json', '-f', '-'];
    assert.equal(JSON.parse(await kubectl.input(deployment('tried', { replicas: 4 }), ...dry)).spec.replicas, 4);
    const diff = await kubectl.tryInput(deployment('tried', { replicas: 4 }), 'diff', '--server-side', '-f', '-');
    assert.equal(diff.code, 1, diff.stderr);
    assert.match(diff.stdout, /- {2}replicas: 1\n\+ {2}replicas: 4\n/);
    assert.equal((await kubectl.json('get', 'deployment', 'tried')).spec.replicas, 1);
    const same = await kubectl.tryInput(deployment('tried', { replicas: 1 }), 'diff', '--server-side', '-f', '-');
    assert.equal(same.code, 0, same.stdout + same.stderr);
  });

  it('takes over from client-side apply', async () => {
    const { kubectl } = skypod;
    await kubectl.input(deployment('migrated', { replicas: 1, annotations: { old: 'x' } }), 'apply', '-f', '-');
    assert.equal((await ownerOf('migrated', 'kubectl-client-side-apply')).operation, 'Update');
    assert.match(await kubectl('apply', 'view-last-applied', 'deployment/migrated'), /replicas: 1/);
    await kubectl.input(deployment('migrated', { replicas: 2 }), 'apply', '--server-side', '-f', '-');
    const { spec, metadata } = await kubectl.json('get', 'deployment', 'migrated');
    assert.equal(spec.replicas, 2);
    assert.equal(metadata.annotations.old, undefined, 'what was applied before and is not any more is gone');
    assert.equal(await ownerOf('migrated', 'kubectl-client-side-apply'), undefined);
    assert.match(await kubectl('apply', 'view-last-applied', 'deployment/migrated'), /replicas: 2/);
    // And back.
    await kubectl.input(deployment('migrated', { replicas: 3 }), 'apply', '-f', '-');
    assert.equal((await kubectl.json('get', 'deployment', 'migrated')).spec.replicas, 3);
  });

  it('says what does not fit the schema', async () => {
    const { kubectl } = skypod;
    const manifest = JSON.parse(deployment('unfit'));
    manifest.spec.unheardOf = 1;
    const refused = await kubectl.tryInput(
      JSON.stringify(manifest),
      'apply',
      '--server-side',
      '--validate=false',
      '-f',
      '-',
    );
    assert.match(
      refused.stderr,
      /failed to create typed patch object \(default\/unfit; apps\/v1, Kind=Deployment\): \.spec\.unheardOf: field not declared in schema/,
    );
  });

  it('keeps entries of lists apart by their keys', async () => {
    const { kubectl } = skypod;
    const service = (ports: object[]) =>
      JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'ports' }, spec: { ports } });
    const apply = (manager: string, ports: object[]) =>
      kubectl.input(service(ports), 'apply', '--server-side', `--field-manager=${manager}`, '-f', '-');
    await apply('one', [{ name: 'http', port: 80 }]);
    await apply('two', [{ name: 'dns', port: 53, protocol: 'UDP' }]);
    const portsOf = async () =>
      (await kubectl.json('get', 'service', 'ports')).spec.ports.map((port: any) => port.name);
    assert.deepEqual((await portsOf()).sort(), ['dns', 'http']);
    await apply('one', [{ name: 'web', port: 8080 }]);
    assert.deepEqual((await portsOf()).sort(), ['dns', 'web']);
  });

  it('lets a client clear all owners', async () => {
    const { kubectl } = skypod;
    await kubectl.input(deployment('cleared'), 'apply', '--server-side', '-f', '-');
    await kubectl('rollout', 'status', 'deployment/cleared');
    const clear = JSON.stringify([{ op: 'replace', path: '/metadata/managedFields', value: [{}] }]);
    await kubectl('patch', 'deployment', 'cleared', '--type=json', '-p', clear);
    assert.equal(await managersOf('cleared'), undefined);
  });
});
