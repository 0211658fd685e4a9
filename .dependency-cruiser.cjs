// One rule an invariant of docs/architecture.md ("Layout and direction of imports").
const layers = {
  base: [],
  api: ['base'],
  store: ['base'],
  client: ['api', 'base'],
  apiserver: ['store', 'api', 'base'],
  controllers: ['client', 'api', 'base'],
  scheduler: ['client', 'api', 'base'],
  'virtual-node': ['client', 'api', 'base'],
  host: ['runtime', 'client', 'api', 'base'],
  runtime: ['api', 'base'],
  network: ['client', 'api', 'base'],
  autoscaling: ['client', 'api', 'base'],
  metering: ['client', 'api', 'base'],
  tenancy: ['client', 'api', 'base'],
};
const implementations = '^src/(store/(lmdb|etcd|memory)|runtime/(cri|oci|microvm|simulated))/';

const layerRules = Object.entries(layers).map(([layer, allowed]) => ({
  name: `layer-${layer}`,
  comment: `${layer}/ may import ${allowed.join(', ') || 'node: modules'} only`,
  severity: 'error',
  from: { path: `^src/${layer}/` },
  to: { path: '^src/', pathNot: `^src/(${[layer, ...allowed].join('|')})/` },
}));

module.exports = {
  forbidden: [
    ...layerRules,
    {
      name: 'only-compose-names-implementations',
      comment: 'Invariant 1: only compose/ names an implementation of a port (their own tests and the contract aside)',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/compose/', implementations, '[.]test[.]ts$', '/testing/'] },
      to: { path: implementations },
    },
    {
      name: 'only-tests-use-testing',
      comment: 'What helps tests is no part of the product',
      severity: 'error',
      from: { path: '^src/', pathNot: ['[.]test[.]ts$', '/testing/', '/contract/', '/testing[^/]*[.]ts$'] },
      to: { path: ['/testing/', '/testing[^/]*[.]ts$'] },
    },
    {
      name: 'base-imports-node-only',
      severity: 'error',
      from: { path: '^src/base/' },
      to: { dependencyTypes: ['npm', 'npm-dev'] },
    },
    {
      name: 'only-apiserver-touches-store',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(apiserver|compose|store)/' },
      to: { path: '^src/store/' },
    },
    {
      name: 'main-calls-compose-only',
      severity: 'error',
      from: { path: '^src/main[.]ts$' },
      to: { path: '^src/', pathNot: '^src/compose/' },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: { path: '^src/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    parser: 'swc',
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.js', '.json'] },
  },
};
