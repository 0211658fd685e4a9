/** The messages of `etcd.proto` as proto-loader gives and takes them: camelCase, 64-bit numbers as numbers. */
export interface EtcdKeyValue {
  key: Buffer;
  createRevision: number;
  modRevision: number;
  value: Buffer;
}

export interface EtcdEvent {
  type: 'PUT' | 'DELETE';
  kv: EtcdKeyValue;
}

export interface Header {
  header: { revision: number };
}

export interface EtcdRangeRequest {
  key: Buffer;
  rangeEnd?: Buffer;
  limit?: number;
  revision?: number;
  countOnly?: boolean;
}

export interface EtcdRangeResponse extends Header {
  kvs: EtcdKeyValue[];
  more: boolean;
  count: number;
}

export interface EtcdPutRequest {
  key: Buffer;
  value: Uint8Array;
}

export interface EtcdCompare {
  result: 'EQUAL';
  target: 'MOD';
  key: Buffer;
  modRevision: number;
}

export type EtcdOperation =
  | { requestRange: EtcdRangeRequest }
  | { requestPut: EtcdPutRequest }
  | { requestDeleteRange: { key: Buffer } };

export interface EtcdTransaction {
  compare: EtcdCompare[];
  success: EtcdOperation[];
  failure: EtcdOperation[];
}

export interface EtcdTransactionResponse extends Header {
  succeeded: boolean;
  responses: { responseRange?: EtcdRangeResponse }[];
}

export interface EtcdWatchCreate {
  key: Buffer;
  rangeEnd: Buffer;
  startRevision: number;
  fragment: boolean;
}

export interface EtcdWatchResponse extends Header {
  created: boolean;
  canceled: boolean;
  compactRevision: number;
  cancelReason: string;
  fragment: boolean;
  events: EtcdEvent[];
}

export interface EtcdStatus extends Header {
  version: string;
  /** Bytes of the member's database file. */
  dbSize: number;
}

/** Unary calls of the KV service: request and response. */
export interface Verbs {
  Range: [EtcdRangeRequest, EtcdRangeResponse];
  Put: [EtcdPutRequest, Header];
  DeleteRange: [{ key: Buffer }, Header];
  Txn: [EtcdTransaction, EtcdTransactionResponse];
  Compact: [{ revision: number }, Header];
}
