import { StatusError } from '../../api/status.ts';

const unknownAuthority = new Set([
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** What went wrong on the way to a webhook, as Go's HTTP client says it: people and tools know these words. */
export function describeCallError(error: unknown, { host, serverName }: { host: string; serverName: string }): string {
  if (error instanceof StatusError) {
    const { name } = error.details ?? {};
    return error.reason === 'NotFound' ? `service ${JSON.stringify(name ?? '')} not found` : error.message;
  }
  const { code, message, cert } = error as Error & { code?: string; cert?: { subjectaltname?: string } };
  const verify = (why: string) => `tls: failed to verify certificate: x509: ${why}`;
  if (code !== undefined && unknownAuthority.has(code)) return verify('certificate signed by unknown authority');
  switch (code) {
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
      return verify('certificate has expired or is not yet valid');
    case 'ERR_TLS_CERT_ALTNAME_INVALID': {
      const names = (cert?.subjectaltname ?? '').replaceAll(/(DNS|IP Address):/g, '');
      return verify(`certificate is valid for ${names}, not ${serverName}`);
    }
    case 'ECONNREFUSED':
      return `dial tcp ${host}: connect: connection refused`;
    case 'EHOSTUNREACH':
      return `dial tcp ${host}: connect: no route to host`;
    case 'ETIMEDOUT':
      return `dial tcp ${host}: i/o timeout`;
    case 'ECONNRESET':
      return message === 'socket hang up' ? 'EOF' : 'read: connection reset by peer';
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
      return 'http: server gave HTTP response to HTTPS client';
    default:
      return message.startsWith('x509:') ? `tls: failed to verify certificate: ${message}` : message;
  }
}

/** What client-go makes of an answer that is none. Source: apimachinery's NewGenericServerResponse. */
export function describeStatusCode(code: number, body: string): string {
  switch (code) {
    case 400:
      return 'the server rejected our request for an unknown reason';
    case 401:
      return 'the server has asked for the client to provide credentials';
    case 403:
      return body === '' ? 'unknown' : body;
    case 404:
      return 'the server could not find the requested resource';
    case 405:
      return 'the server does not allow this method on the requested resource';
    case 406:
      return 'the server was unable to respond with a content type that the client supports';
    case 409:
      return 'the server reported a conflict';
    case 413:
      return 'the server responded with the status code 413 but did not return more information';
    case 415:
      return 'the server was unable to respond with a content type that the client supports';
    case 422:
      return 'the server rejected our request due to an error in our request';
    case 429:
      return 'the server has received too many requests and has asked us to try again later';
    case 503:
      return 'the server is currently unable to handle the request';
    case 504:
      return 'the server was unable to return a response in the time allotted, but may still be processing the request';
    default:
      return code >= 500
        ? `an error on the server (${JSON.stringify(body)}) has prevented the request from succeeding`
        : `the server responded with the status code ${code} but did not return more information`;
  }
}
