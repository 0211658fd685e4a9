import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { CustomResourceDefinition } from '../../api/generated/apiextensions-v1.ts';
import type { ResourceDefinition } from '../../api/resource-definition.ts';
import { builtinResources, platformResources } from '../../api/resources/index.ts';
import { metricsResources } from '../../api/resources/metrics.ts';
import { runAtOnce } from '../../base/steps.ts';
import { resourceOf } from '../custom-resources/definition.ts';
import { openApi2, openApi3 } from './documents.ts';

const of = (group: string, ...names: string[]) =>
  builtinResources.filter((one) => one.group === group && names.includes(one.resource));

it('names operations and tags as upstream does', () => {
  const { paths } = runAtOnce(
    openApi3([...of('apps', 'deployments'), ...of('', 'pods'), ...of('rbac.authorization.k8s.io', 'roles')], '1.36'),
  );
  const said = Object.values<any>(paths).flatMap((item) =>
    Object.values<any>(item).flatMap(({ operationId, tags }) =>
      operationId === undefined ? [] : `${operationId} ${tags}`,
    ),
  );
  for (const one of [
    'getAppsV1APIResources apps_v1',
    'listAppsV1DeploymentForAllNamespaces apps_v1',
    'deleteAppsV1CollectionNamespacedDeployment apps_v1',
    'watchAppsV1NamespacedDeploymentList apps_v1',
    'replaceAppsV1NamespacedDeploymentScale apps_v1',
    'connectCoreV1OptionsNamespacedPodProxyWithPath core_v1',
    'createCoreV1NamespacedPodEviction core_v1',
    'listRbacAuthorizationV1RoleForAllNamespaces rbacAuthorization_v1',
  ]) {
    assert.ok(said.includes(one), one);
  }
});

it('says parameters once: of the path what all its operations take, in version 2 under names of their own', () => {
  const version3 = runAtOnce(openApi3(of('apps', 'deployments'), '1.36')).paths[
    '/apis/apps/v1/namespaces/{namespace}/deployments'
  ];
  const names = (list: any[]) => list.map(({ name }) => name);
  assert.deepEqual(names(version3.parameters), ['namespace', 'pretty']);
  assert.deepEqual(names(version3.post.parameters), ['dryRun', 'fieldManager', 'fieldValidation']);
  const { paths, parameters } = runAtOnce(openApi2(of('apps', 'deployments'), '1.36'));
  const [body, dryRun, fieldManager] = paths['/apis/apps/v1/namespaces/{namespace}/deployments'].post.parameters;
  assert.deepEqual([body.in, dryRun.name], ['body', 'dryRun']);
  const { name, type } = parameters[fieldManager.$ref.slice('#/parameters/'.length)];
  assert.deepEqual([name, type], ['fieldManager', 'string']);
});

it('says defaults, references and whole structures in the way of each version', () => {
  const name = 'io.k8s.api.apps.v1.DeploymentSpec';
  const said = (schema: any) => {
    const { template, strategy, replicas } = schema.properties;
    for (const one of [template, strategy, replicas]) delete one.description;
    return { template, strategy, replicas };
  };
  const reference = (prefix: string, type: string) => ({ $ref: `#/${prefix}/io.k8s.api.${type}` });
  const replicas = { type: 'integer', format: 'int32' };
  const version3 = runAtOnce(openApi3(of('apps', 'deployments'), '1.36')).components.schemas;
  assert.deepEqual(said(version3[name]), {
    template: { default: {}, allOf: [reference('components/schemas', 'core.v1.PodTemplateSpec')] },
    strategy: {
      default: {},
      allOf: [reference('components/schemas', 'apps.v1.DeploymentStrategy')],
      'x-kubernetes-patch-strategy': 'retainKeys',
    },
    replicas,
  });
  const { definitions } = runAtOnce(openApi2(of('apps', 'deployments'), '1.36'));
  assert.deepEqual(said(definitions[name]), {
    template: reference('definitions', 'core.v1.PodTemplateSpec'),
    strategy: {
      ...reference('definitions', 'apps.v1.DeploymentStrategy'),
      'x-kubernetes-patch-strategy': 'retainKeys',
    },
    replicas,
  });
  assert.equal(definitions['io.k8s.api.core.v1.LocalObjectReference']['x-kubernetes-map-type'], 'atomic');
  assert.deepEqual(definitions['io.k8s.api.core.v1.SeccompProfile']['x-kubernetes-unions'], [
    { discriminator: 'type', 'fields-to-discriminateBy': { localhostProfile: 'LocalhostProfile' } },
  ]);
});

it('says of custom resources what each version can', () => {
  const definition: CustomResourceDefinition = {
    metadata: { name: 'boxes.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Cluster',
      names: { plural: 'boxes', kind: 'Box', listKind: 'BoxList' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          selectableFields: [{ jsonPath: '.a' }],
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: {
                a: { type: 'string', nullable: true, default: 'x' },
                size: { 'x-kubernetes-int-or-string': true },
              },
            },
          },
        },
      ],
    },
  } as never;
  const resource = resourceOf(definition, 'v1');
  const { info, components, paths } = runAtOnce(openApi3([resource], '1.36'));
  assert.equal(info.title, 'Kubernetes CRD Swagger');
  assert.deepEqual(Object.keys(paths), ['/apis/example.com/v1/boxes', '/apis/example.com/v1/boxes/{name}']);
  const box = components.schemas['com.example.v1.Box'];
  assert.deepEqual(box.properties.a, { type: 'string', nullable: true, default: 'x' });
  assert.deepEqual(box.properties.size.anyOf, [{ type: 'integer' }, { type: 'string' }]);
  assert.deepEqual(box['x-kubernetes-selectable-fields'], [{ fieldPath: 'a' }]);
  const { definitions } = runAtOnce(openApi2([resource], '1.36'));
  assert.deepEqual(definitions['com.example.v1.Box'].properties.a, {});
  assert.deepEqual(definitions['com.example.v1.BoxList'].required, ['items']);
});

it('says the kinds of resources that are written by hand', () => {
  const [metrics, tenants] = ['metrics.k8s.io', 'tenancy.skypod.io'].map((group) =>
    [...metricsResources, ...platformResources].filter((one) => one.group === group),
  );
  const kindsOf = (resources: ResourceDefinition[], type: string) =>
    runAtOnce(openApi3(resources, '1.36')).components.schemas[type]['x-kubernetes-group-version-kind'];
  const group = 'tenancy.skypod.io';
  assert.deepEqual(kindsOf(tenants!, 'io.skypod.v1alpha1.Tenant'), [{ group, kind: 'Tenant', version: 'v1alpha1' }]);
  assert.deepEqual(kindsOf(tenants!, 'io.skypod.v1alpha1.TenantList'), [
    { group, kind: 'TenantList', version: 'v1alpha1' },
  ]);
  assert.equal(kindsOf(metrics!, 'io.k8s.metrics.pkg.apis.metrics.v1beta1.PodMetrics')[0].kind, 'PodMetrics');
});
