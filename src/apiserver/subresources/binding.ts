import { schemaOfKind } from '../../api/generated-schema.ts';
import { formatTime, type KubeObject } from '../../api/object.ts';
import { PODS } from '../../api/resources.ts';
import { badRequest, conflict } from '../../api/status.ts';
import { admitPosted } from '../admission/admit.ts';
import { type Answer, objectAnswer } from '../answer.ts';
import { readObject } from '../decode-body.ts';
import type { Environment } from '../environment.ts';
import { updateObject } from '../verbs/objects/update-object.ts';
import { dryRunOf } from '../verbs/options/write-options.ts';
import { type ResourceRequest, writeOf } from '../verbs/scope.ts';
import { checkPlace } from '../verbs/update.ts';

/** POST to `bindings`: the older way, with the pod's name in the body. */
export async function bindByBody(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const { context, tenant } = request;
  const binding = await readBinding(environment, request);
  const definition = environment.registry.find(tenant, PODS.group, PODS.version, PODS.resource)!;
  const dryRun = dryRunOf(context, 'CreateOptions');
  return place(environment, { ...request, definition, name: binding.metadata.name ?? '' }, binding, dryRun);
}

const bindingKind = { group: '', version: 'v1', kind: 'Binding' };

/**
 * POST to `binding`: puts a pod on a node, or a container instance on a host, once. Source: core/v1 Binding and
 * BindingREST upstream.
 */
export async function bind(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const binding = await readBinding(environment, request);
  return place(environment, request, binding, dryRunOf(request.context, 'CreateOptions'));
}

async function readBinding(environment: Environment, request: ResourceRequest): Promise<KubeObject> {
  const { context } = request;
  const dryRun = dryRunOf(context, 'CreateOptions');
  const binding = await readObject(context, { kind: bindingKind, schema: schemaOfKind('', 'v1', 'Binding')! });
  if (request.name !== '' && binding.metadata.name !== request.name) {
    throw badRequest('name in URL does not match name in Binding object');
  }
  await admitPosted(environment, request, binding, { kind: bindingKind, dryRun });
  return binding;
}

async function place(
  environment: Environment,
  request: ResourceRequest,
  binding: KubeObject,
  dryRun: boolean,
): Promise<Answer> {
  const { definition, name } = request;
  const target: { kind?: string; name?: string } = binding['target'] ?? {};
  const isPod = definition.resource === 'pods';
  const targetKind = isPod ? 'Node' : 'Host';
  const findings: string[] = [];
  if (target.kind && target.kind !== targetKind) {
    const supported = `supported values: "${targetKind}", "<empty>"`;
    findings.push(`target.kind: Unsupported value: ${JSON.stringify(target.kind)}: ${supported}`);
  }
  if (!target.name) findings.push('target.name: Required value');
  // Upstream takes what it finds here for a fault of its own, and says so with a 500.
  if (findings.length > 0) throw badRequest(findings.length === 1 ? findings[0]! : `[${findings.join(', ')}]`);
  const { uid, annotations, labels } = binding.metadata;
  checkPlace(request, { ...binding, metadata: { ...binding.metadata } });

  const bindings = { group: definition.group, resource: `${definition.resource}/binding` };
  await updateObject(environment, {
    ...writeOf(request, dryRun),
    subresource: 'binding',
    trusted: true,
    change(old) {
      const what = isPod ? 'pod' : 'container instance';
      const bound: string = (isPod ? old['spec'].nodeName : old['spec'].hostName) ?? '';
      if (old.metadata.deletionTimestamp !== undefined) {
        throw conflict(bindings, name, `${what} ${name} is being deleted, cannot be assigned to a host`);
      }
      if (bound !== '') {
        throw conflict(
          bindings,
          name,
          `${what} ${name} is already assigned to ${isPod ? 'node' : 'host'} ${JSON.stringify(bound)}`,
        );
      }
      if (isPod && (old['spec'].schedulingGates ?? []).length > 0) {
        throw conflict(bindings, name, `pod ${name} has non-empty .spec.schedulingGates`);
      }
      return boundObject(old, isPod ? 'nodeName' : 'hostName', target.name!, {
        ...(uid && { uid }),
        annotations,
        labels,
        nowMs: environment.clock.now(),
      });
    },
  });
  return objectAnswer({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }, 201);
}

function boundObject(
  old: KubeObject,
  field: 'nodeName' | 'hostName',
  target: string,
  binding: { uid?: string; annotations?: Record<string, string>; labels?: Record<string, string>; nowMs: number },
): KubeObject {
  const { resourceVersion: _resourceVersion, ...metadata } = old.metadata;
  const others = (old['status']?.conditions ?? []).filter(({ type }: { type: string }) => type !== 'PodScheduled');
  const scheduled = {
    type: 'PodScheduled',
    status: 'True',
    ...(field === 'nodeName' && { lastProbeTime: null }),
    lastTransitionTime: formatTime(binding.nowMs),
  };
  // A nomination says where a pod may come to be, and now it is somewhere.
  const { nominatedNodeName: _nominated, ...status } = old['status'] ?? {};
  return {
    ...old,
    metadata: {
      ...metadata,
      ...(binding.uid !== undefined && { uid: binding.uid }),
      ...(binding.annotations !== undefined && { annotations: { ...metadata.annotations, ...binding.annotations } }),
      ...(binding.labels !== undefined && { labels: { ...metadata.labels, ...binding.labels } }),
    } as KubeObject['metadata'],
    spec: { ...old['spec'], [field]: target },
    status: { ...status, conditions: [...others, scheduled] },
  };
}
