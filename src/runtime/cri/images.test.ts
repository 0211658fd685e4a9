import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CriError, criStatus } from './cri-client.ts';
import { pullError } from './images.ts';

const kinds = {
  notFound: [
    'failed to pull and unpack image "docker.io/library/x:1": failed to resolve reference "docker.io/library/x:1": docker.io/library/x:1: not found',
  ],
  unauthorized: [
    'failed to resolve reference "r.io/x:1": unexpected status from HEAD request to https://r.io/v2/x/manifests/1: 401 Unauthorized',
    'failed to resolve reference "docker.io/a/b:1": pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed',
  ],
  registryUnavailable: [
    'failed to do request: Head "https://r.io/v2/x/manifests/1": dial tcp: lookup r.io: no such host',
    'failed to do request: Head "http://127.0.0.1:1/v2/x/manifests/1": dial tcp 127.0.0.1:1: connect: connection refused',
  ],
  invalidName: ['failed to parse image reference "Not/A": invalid reference format: repository name must be lowercase'],
  other: ['failed to extract layer sha256:0: no space left on device'],
} as const;

for (const [kind, messages] of Object.entries(kinds)) {
  test(`a pull that fails is ${kind} by containerd's words`, () => {
    for (const message of messages) {
      const error = pullError(new CriError('PullImage', criStatus.UNKNOWN, message));
      assert.equal(error.kind, kind, message);
      assert.equal(error.message, `rpc error: code = Unknown desc = ${message}`);
    }
  });
}
