import type { GroupResource, KubeObject } from '../../api/object.ts';
import type { Objects } from '../objects.ts';
import type { CacheEvent, CacheWatch } from '../watch-cache/watch-cache.ts';
import { FLOW_SCHEMAS, flowControlObjects, PRIORITY_LEVELS } from './bootstrap.ts';
import { byPrecedence, type FlowSchema } from './classification.ts';
import type { LevelSettings } from './priority-level.ts';

/** One tenant's flow schemas and priority levels, ready to be matched. Never mutated. */
export interface FlowControlConfiguration {
  /** In the order they are tried; those whose level is not there are left out. */
  schemas: FlowSchema[];
  levels: ReadonlyMap<string, LevelSettings>;
  sumOfShares: number;
}

const keptLimit = 512;

/** Configurations of the tenants that asked last, forgotten when one of their objects changes. */
export class FlowControlConfigurations {
  readonly #objects: Objects;
  readonly #kept = new Map<string, FlowControlConfiguration>();
  readonly #watches = new Set<CacheWatch>();
  /** Hears of every change of a tenant's flow schemas and priority levels. */
  readonly #onChange: (tenant: string) => void;
  #changes = 0;
  #closed = false;

  constructor(objects: Objects, onChange: (tenant: string) => void) {
    this.#objects = objects;
    this.#onChange = onChange;
  }

  /** One watch over all tenants for each of the two kinds. */
  async start(): Promise<void> {
    await Promise.all([this.#follow(FLOW_SCHEMAS), this.#follow(PRIORITY_LEVELS)]);
  }

  async #follow(resource: GroupResource): Promise<void> {
    const cache = await this.#objects.cache(resource);
    if (this.#closed) return;
    const onEvents = (events: CacheEvent[]) => {
      this.#changes++;
      for (const { entry } of events) {
        this.#kept.delete(entry.tenant);
        this.#onChange(entry.tenant);
      }
    };
    const onEnd = () => {
      this.#watches.delete(watch);
      this.#changes++;
      this.#kept.clear();
      // The cache is built anew, and with it what was forgotten here.
      if (!this.#closed) setImmediate(() => this.#follow(resource).catch(() => {}));
    };
    const watch = cache.watch({ tenant: undefined, afterRevision: cache.revision, onEvents, onEnd });
    this.#watches.add(watch);
  }

  close(): void {
    this.#closed = true;
    for (const watch of this.#watches) watch.close();
  }

  of(tenant: string): FlowControlConfiguration | Promise<FlowControlConfiguration> {
    // Who names no tenant gets what every tenant starts with.
    if (tenant === '' || tenant === '*') return bootstrapConfiguration;
    return this.#kept.get(tenant) ?? this.#load(tenant);
  }

  async #load(tenant: string): Promise<FlowControlConfiguration> {
    const changes = this.#changes;
    const read = async (resource: GroupResource) =>
      (await this.#objects.entries(resource, { tenant })).map((entry) => entry.object);
    const configuration = compile(await read(FLOW_SCHEMAS), await read(PRIORITY_LEVELS));
    // A change that came while the objects were read may be missing here.
    if (changes !== this.#changes || this.#closed) return configuration;
    if (this.#kept.size >= keptLimit) this.#kept.delete(this.#kept.keys().next().value!);
    this.#kept.set(tenant, configuration);
    return configuration;
  }
}

export function compile(schemaObjects: KubeObject[], levelObjects: KubeObject[]): FlowControlConfiguration {
  const levels = new Map<string, LevelSettings>();
  for (const object of levelObjects) {
    const settings = levelSettings(object);
    if (settings !== undefined) levels.set(settings.name, settings);
  }
  const schemas = schemaObjects.map(flowSchema);
  // Without the mandatory ones a request might match nothing.
  for (const [name, level] of mandatoryLevels) if (!levels.has(name)) levels.set(name, level);
  for (const schema of mandatorySchemas) {
    if (!schemas.some(({ name }) => name === schema.name)) schemas.push(schema);
  }
  let sumOfShares = 0;
  for (const { shares } of levels.values()) sumOfShares += shares;
  return {
    schemas: schemas.filter(({ level }) => levels.has(level)).sort(byPrecedence),
    levels,
    sumOfShares,
  };
}

function flowSchema({ metadata, ...rest }: KubeObject): FlowSchema {
  const spec = rest['spec'] ?? {};
  return {
    name: metadata.name,
    uid: metadata.uid ?? '',
    level: spec.priorityLevelConfiguration?.name ?? '',
    precedence: number(spec.matchingPrecedence, 1000),
    distinguisher: spec.distinguisherMethod?.type,
    rules: Array.isArray(spec.rules) ? spec.rules : [],
  };
}

/** undefined for one whose halves do not fit together: as if it were not there. */
function levelSettings({ metadata, ...rest }: KubeObject): LevelSettings | undefined {
  const { type, limited, exempt } = rest['spec'] ?? {};
  const common = { name: metadata.name, uid: metadata.uid ?? '' };
  if ((type === 'Exempt') !== (metadata.name === 'exempt')) return undefined;
  if (type === 'Exempt') {
    const shares = number(exempt?.nominalConcurrencyShares, 0);
    const lendablePercent = number(exempt?.lendablePercent, 0);
    return { ...common, exempt: true, shares, lendablePercent, borrowingLimitPercent: undefined, queuing: undefined };
  }
  if (type !== 'Limited' || limited == null) return undefined;
  const { limitResponse } = limited;
  const queuing = limitResponse?.queuing;
  if ((limitResponse?.type === 'Queue') !== (queuing != null)) return undefined;
  return {
    ...common,
    exempt: false,
    shares: number(limited.nominalConcurrencyShares, 30),
    lendablePercent: number(limited.lendablePercent, 0),
    borrowingLimitPercent: limited.borrowingLimitPercent ?? undefined,
    queuing:
      queuing == null
        ? undefined
        : {
            queues: number(queuing.queues, 64),
            handSize: number(queuing.handSize, 8),
            queueLengthLimit: number(queuing.queueLengthLimit, 50),
          },
  };
}

const number = (value: unknown, absent: number) => (typeof value === 'number' && value >= 0 ? value : absent);

const bootstrap = (resource: GroupResource) =>
  flowControlObjects[`${resource.resource}.${resource.group}`]! as unknown as KubeObject[];
const mandatory = ({ metadata: { name } }: KubeObject) => name === 'exempt' || name === 'catch-all';
const mandatorySchemas = bootstrap(FLOW_SCHEMAS).filter(mandatory).map(flowSchema);
const mandatoryLevels = bootstrap(PRIORITY_LEVELS)
  .filter(mandatory)
  .map((object) => [object.metadata.name, levelSettings(object)!] as const);

/** What a tenant has that changed nothing; without uids. */
export const bootstrapConfiguration = compile(bootstrap(FLOW_SCHEMAS), bootstrap(PRIORITY_LEVELS));
