import { decode, encode } from 'dns-packet';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import { AnswerCache } from './answer-cache.ts';
import { encodeError, encodeReply, fitUdp, parseQuery, type Query, type Reply } from './message.ts';
import { askUpstream, type Resolver } from './upstream.ts';
import { answerFromZone, type ServiceLookup } from './zone.ts';

export interface DnsResolverOptions {
  clusterDomain: string;
  /** Where names outside the zone are asked; read for each question. */
  upstream(): Resolver[];
  clock: Clock;
  logger: Logger;
}

const LONGEST_CNAME_CHAIN = 8;
/** Questions of one tenant to upstream at a time; more fail at once. */
const UNDER_WAY_PER_TENANT = 256;

/** Answers the messages of all tenants; knows whose a message is from the address it came to. */
export class DnsResolver {
  readonly #options: DnsResolverOptions;
  readonly #cache = new AnswerCache();
  readonly #underWay = new Map<string, number>();

  constructor(options: DnsResolverOptions) {
    this.#options = options;
  }

  /**
   * @param services the tenant's; undefined while they are not known
   * @returns undefined: no answer is due
   */
  async answer(
    message: Buffer,
    tenant: string,
    services: ServiceLookup | undefined,
    transport: 'udp' | 'tcp',
  ): Promise<Buffer | undefined> {
    const query = parseQuery(message);
    if (query === undefined) return undefined;
    if (typeof query === 'string') return encodeError(message, query);
    try {
      const answer = await this.#answer(message, query, tenant, services, transport);
      return transport === 'udp' ? fitUdp(query, answer, this.#options.clusterDomain) : answer;
    } catch (error) {
      this.#options.logger.debug({ tenant, name: query.name, error }, 'a DNS question could not be answered');
      return this.#encode(query, { rcode: 'serverFailure' });
    }
  }

  async #answer(
    message: Buffer,
    query: Query,
    tenant: string,
    services: ServiceLookup | undefined,
    transport: 'udp' | 'tcp',
  ): Promise<Buffer> {
    const { clusterDomain } = this.#options;
    if (query.class !== 'IN') return this.#encode(query, { rcode: 'refused' });
    const name = query.lookupName;
    const inZone = name === clusterDomain || name.endsWith(`.${clusterDomain}`);
    if (services === undefined) {
      // Not "no such name": the client would believe it.
      if (inZone || name.endsWith('.in-addr.arpa')) return this.#encode(query, { rcode: 'serverFailure' });
      return await this.#forward(message, query, tenant, transport);
    }
    const zone = answerFromZone(name, query.type, services, clusterDomain);
    if (zone === undefined) return await this.#forward(message, query, tenant, transport);
    const soa = inZone ? clusterDomain : '10.in-addr.arpa';
    if (!zone.exists) return this.#encode(query, { rcode: 'nameError', authoritative: true, soa });
    if (zone.answers.length === 0) return this.#encode(query, { rcode: 'ok', authoritative: true, soa });
    const answers: object[] = zone.answers[0]!.type === 'A' ? shuffled(zone.answers) : [...zone.answers];
    const first = zone.answers[0]!;
    if (first.type === 'CNAME' && query.type !== 'CNAME') {
      answers.push(...(await this.#follow(first.target, query.type, tenant, services)));
    }
    return this.#encode(query, { rcode: 'ok', authoritative: true, answers, additionals: zone.additionals });
  }

  /** Stub resolvers expect the whole chain in one answer. */
  async #follow(target: string, type: string, tenant: string, services: ServiceLookup, depth = 1): Promise<object[]> {
    if (depth > LONGEST_CNAME_CHAIN) return [];
    const zone = answerFromZone(target, type, services, this.#options.clusterDomain);
    if (zone !== undefined) {
      const first = zone.answers[0];
      if (first?.type !== 'CNAME') return zone.answers;
      return [first, ...(await this.#follow(first.target, type, tenant, services, depth + 1))];
    }
    const question = encode({
      type: 'query',
      id: 0,
      flags: 1 << 8,
      questions: [{ name: target, type: type as any }],
    });
    try {
      const answer = decode(await this.#ask(question, `${target}/${type}/follow`, tenant, true));
      return (answer.answers ?? []) as object[];
    } catch {
      // The alias alone is still true.
      return [];
    }
  }

  async #forward(message: Buffer, query: Query, tenant: string, transport: 'udp' | 'tcp'): Promise<Buffer> {
    const key = `${query.lookupName}/${query.type}/${query.hasEdns}/${query.wantsDnssec}/${query.flags}`;
    return await this.#ask(message, key, tenant, transport === 'tcp');
  }

  async #ask(message: Buffer, key: string, tenant: string, wholeAnswer: boolean): Promise<Buffer> {
    const { clock, upstream } = this.#options;
    const known = this.#cache.get(key, message, clock.now());
    if (known !== undefined) return known;
    const count = this.#underWay.get(tenant) ?? 0;
    if (count >= UNDER_WAY_PER_TENANT) throw new Error('too many questions of this tenant are under way');
    this.#underWay.set(tenant, count + 1);
    try {
      const answer = await askUpstream(upstream(), message, wholeAnswer);
      this.#cache.put(key, answer, clock.now());
      return answer;
    } finally {
      const left = (this.#underWay.get(tenant) ?? 1) - 1;
      if (left === 0) this.#underWay.delete(tenant);
      else this.#underWay.set(tenant, left);
    }
  }

  #encode(query: Query, reply: Reply): Buffer {
    return encodeReply(query, reply, this.#options.clusterDomain);
  }
}

/** Clients take the first address: each should see another one first. */
function shuffled<T>(values: T[]): T[] {
  const copy = [...values];
  for (let index = copy.length - 1; index > 0; index--) {
    const other = Math.floor(Math.random() * (index + 1));
    [copy[index], copy[other]] = [copy[other]!, copy[index]!];
  }
  return copy;
}
