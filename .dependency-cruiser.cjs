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
  metering: ['client', 'api', 'base'],
  tenancy: ['client', 'api', 'base'],
};
const implementations = '^src/(store/(lmdb|etcd|memory|encryption)|runtime/(cri|simulated))/';
/** Run by their path: in a worker thread, in another network namespace. */
const programs = ['/yaml/worker[.]ts$', '/health/open-ports[.]ts$'];
/** What is no part of the product: tests, what helps them, and the suites that implementations pass. */
const tests = ['[.]test[.]ts$', '/testing/', '/testing[^/]*[.]ts$', '/contract/'];

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
      from: { path: '^src/', pathNot: ['^src/compose/', implementations, ...tests] },
      to: { path: implementations },
    },
    {
      name: 'implementations-apart',
      comment: 'What two implementations of a port share stands beside the port',
      severity: 'error',
      from: { path: '^src/(store|runtime)/([^/]+)/', pathNot: tests },
      to: { path: '^src/$1/[^/]+/', pathNot: '^src/$1/$2/' },
    },
    {
      name: 'controllers-apart',
      comment: 'Controllers meet in API objects; what they share stands in common/',
      severity: 'error',
      from: { path: '^src/controllers/([^/]+)/', pathNot: tests },
      to: { path: '^src/controllers/[^/]+/', pathNot: '^src/controllers/($1|common|testing)/' },
    },
    {
      name: 'only-tests-use-testing',
      comment: 'What helps tests is no part of the product',
      severity: 'error',
      from: { path: '^src/', pathNot: tests },
      to: { path: tests },
    },
    {
      name: 'product-stands-alone',
      comment: 'Nothing below src/ needs what builds, measures or proves it',
      severity: 'error',
      from: { path: '^src/', pathNot: tests },
      to: { path: '^(test|images|scripts)/' },
    },
    {
      name: 'no-development-dependencies',
      severity: 'error',
      from: { path: '^src/', pathNot: tests },
      to: { dependencyTypes: ['npm-dev'] },
    },
    {
      name: 'nothing-unreachable',
      comment:
        'What main.ts does not lead to is dead, or a test; facts for schemas, the store of tests and programs aside',
      severity: 'error',
      from: { path: '^src/main[.]ts$' },
      to: {
        path: '^src/',
        pathNot: [...tests, '^src/api/generated/', '^src/store/memory/', ...programs],
        reachable: false,
      },
    },
    {
      name: 'nothing-unresolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
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
      from: {},
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
