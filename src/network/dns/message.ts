import { decode, encode, type Packet } from 'dns-packet';
import type { ZoneRecord } from './zone.ts';

/** Response codes of RFC 1035. */
const rcodes = { ok: 0, formatError: 1, serverFailure: 2, nameError: 3, notImplemented: 4, refused: 5 } as const;
export type Rcode = keyof typeof rcodes;

/** Seconds, as CoreDNS' kubernetes plug-in answers by default: endpoints come and go. */
const ZONE_TTL_SECONDS = 5;
/** What fits without fragments (RFC 9715); a client may say less. */
const LARGEST_UDP_BYTES = 1232;
const SMALLEST_UDP_BYTES = 512;

const AUTHORITATIVE = 1 << 10;
const TRUNCATED = 1 << 9;
const RECURSION_DESIRED = 1 << 8;
const RECURSION_AVAILABLE = 1 << 7;

export interface Query {
  id: number;
  flags: number;
  name: string;
  /** Lower case, without the final dot. */
  lookupName: string;
  type: string;
  class: string;
  /** What the client takes by UDP. */
  udpBytes: number;
  hasEdns: boolean;
  wantsDnssec: boolean;
}

/** @returns what is wrong, when the message is not one plain question */
export function parseQuery(message: Buffer): Query | Rcode | undefined {
  if (message.length < 12) return undefined;
  const flags = message.readUInt16BE(2);
  // An answer is never answered, or two servers could talk for ever.
  if ((flags & 0x8000) !== 0) return undefined;
  if ((flags & 0x7800) !== 0) return 'notImplemented';
  let packet: Packet;
  try {
    packet = decode(message);
  } catch {
    return 'formatError';
  }
  const question = packet.questions?.[0];
  if (question === undefined || packet.questions?.length !== 1) return 'formatError';
  const edns = packet.additionals?.find(({ type }) => type === 'OPT') as
    | { udpPayloadSize: number; flags: number }
    | undefined;
  return {
    id: message.readUInt16BE(0),
    flags,
    name: question.name,
    lookupName: question.name.toLowerCase().replace(/\.$/, ''),
    type: question.type,
    class: question.class ?? 'IN',
    udpBytes: Math.min(Math.max(edns?.udpPayloadSize ?? 0, SMALLEST_UDP_BYTES), LARGEST_UDP_BYTES),
    hasEdns: edns !== undefined,
    wantsDnssec: edns !== undefined && (edns.flags & 0x8000) !== 0,
  };
}

export interface Reply {
  rcode: Rcode;
  authoritative?: boolean;
  answers?: (ZoneRecord | object)[];
  additionals?: ZoneRecord[];
  /** Name of the zone whose SOA goes along: NXDOMAIN and NODATA. */
  soa?: string;
}

export function encodeReply(query: Query, reply: Reply, clusterDomain: string): Buffer {
  const toWire = (record: ZoneRecord | object) =>
    'ttl' in record ? record : wireRecord(record as ZoneRecord, query, clusterDomain);
  return encode({
    type: 'response',
    id: query.id,
    flags:
      (reply.authoritative ? AUTHORITATIVE : 0) |
      (query.flags & RECURSION_DESIRED) |
      RECURSION_AVAILABLE |
      rcodes[reply.rcode],
    questions: [{ name: query.name, type: query.type as any, class: query.class as any }],
    answers: (reply.answers ?? []).map(toWire) as any,
    authorities: reply.soa === undefined ? [] : [wireRecord({ type: 'SOA', name: reply.soa }, query, clusterDomain)],
    additionals: [
      ...(reply.additionals ?? []).map(toWire),
      ...(query.hasEdns ? [{ type: 'OPT', name: '.', udpPayloadSize: LARGEST_UDP_BYTES, flags: 0, options: [] }] : []),
    ] as any,
  });
}

/** A bare header with a response code, for messages that can't be read. */
export function encodeError(message: Buffer, rcode: Rcode): Buffer {
  const header = Buffer.alloc(12);
  message.copy(header, 0, 0, 2);
  header.writeUInt16BE(0x8000 | (message.readUInt16BE(2) & 0x7900) | rcodes[rcode], 2);
  return header;
}

/** The answer as it fits into one UDP packet: whole, or header and question with the truncation bit. */
export function fitUdp(query: Query, answer: Buffer, clusterDomain: string): Buffer {
  if (answer.length <= query.udpBytes) return answer;
  const rcode = (Object.keys(rcodes) as Rcode[]).find((name) => rcodes[name] === (answer[3]! & 15)) ?? 'ok';
  const cut = encodeReply(query, { rcode }, clusterDomain);
  cut.writeUInt16BE(cut.readUInt16BE(2) | TRUNCATED, 2);
  return cut;
}

function wireRecord(record: ZoneRecord, query: Query, clusterDomain: string): any {
  // The question's own spelling comes back: clients that mix cases check it.
  const name = record.name === query.lookupName ? query.name : record.name;
  const common = { type: record.type, name, class: 'IN', ttl: ZONE_TTL_SECONDS };
  switch (record.type) {
    case 'A':
      return { ...common, data: record.address };
    case 'CNAME':
    case 'PTR':
    case 'NS':
      return { ...common, data: record.target };
    case 'TXT':
      return { ...common, data: record.text };
    case 'SRV':
      return { ...common, data: { priority: 0, weight: record.weight, port: record.port, target: record.target } };
    case 'SOA':
      return {
        ...common,
        data: {
          mname: `ns.dns.${clusterDomain}`,
          rname: `hostmaster.${clusterDomain}`,
          serial: 1,
          refresh: 7200,
          retry: 1800,
          expire: 86400,
          minimum: ZONE_TTL_SECONDS,
        },
      };
  }
}
