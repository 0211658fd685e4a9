import {
  type Count,
  Counter,
  type Distribution,
  exponentialBuckets,
  Histogram,
  type Metric,
} from '../../base/metrics.ts';
import type { AuthenticationObserver } from '../filters/authentication.ts';
import type { AuthorizationObserver } from '../filters/authorization.ts';
import { type Identity, SYSTEM_MASTERS } from '../identity/identity.ts';

const accessSeconds = exponentialBuckets(0.001, 2, 15);

const [hour, day] = [3_600, 86_400];
/** Source: apiserver/pkg/authentication/request/x509. */
const certificateSeconds = [0, hour / 2, hour, 2 * hour, 6 * hour, hour * 12].concat(
  [1, 2, 4, 7, 30, 90, 180, 360].map((days) => days * day),
);

interface Attempts {
  count: Count;
  durations: Distribution;
}

/** Source: apiserver/pkg/endpoints/filters/metrics.go and apiserver/pkg/authorization/metrics/metrics.go. */
export class AccessMetrics implements AuthenticationObserver, AuthorizationObserver {
  readonly #users = new Counter('authenticated_user_requests', 'Requests whose sender is known, by kind of name.', [
    'username',
  ]);
  readonly #authentications = new Counter('authentication_attempts', 'Requests by what came of asking who sent them.', [
    'result',
  ]);
  readonly #authenticationTimes = new Histogram(
    'authentication_duration_seconds',
    'Time to find out who sent a request.',
    ['result'],
    accessSeconds,
  );
  readonly #authorizations = new Counter('authorization_attempts_total', 'Requests by whether they were allowed.', [
    'result',
  ]);
  readonly #authorizationTimes = new Histogram(
    'authorization_duration_seconds',
    'Time to find out whether a request is allowed.',
    ['result'],
    accessSeconds,
  );
  readonly #decisions = new Counter('apiserver_authorization_decisions_total', 'Decisions by who took them.', [
    'type',
    'name',
    'decision',
  ]);
  readonly #certificates = new Histogram(
    'apiserver_client_certificate_expiration_seconds',
    'What is left of the life of the client certificate that a request came with.',
    [],
    certificateSeconds,
  );
  readonly #leftOfCertificates = this.#certificates.with();
  readonly #byRoles = this.#decisions.with('RBAC', 'rbac', 'allowed');
  readonly #byNode = this.#decisions.with('Node', 'node', 'allowed');
  readonly #emails = this.#users.with('email_id');
  readonly #otherUsers = this.#users.with('other');
  readonly #knownAs = attempts(this.#authentications, this.#authenticationTimes, ['success', 'failure', 'error']);
  readonly #allowedAs = attempts(this.#authorizations, this.#authorizationTimes, ['allowed', 'no-opinion', 'error']);
  readonly metrics: readonly Metric[] = [
    this.#users,
    this.#authentications,
    this.#authenticationTimes,
    this.#authorizations,
    this.#authorizationTimes,
    this.#decisions,
    this.#certificates,
  ];

  authenticated(result: 'success' | 'failure' | 'error', identity: Identity | undefined, durationMs: number): void {
    const { count, durations } = this.#knownAs[result]!;
    count.add();
    durations.observe(durationMs / 1000);
    if (identity === undefined) return;
    if (identity.validUntilMs !== undefined) {
      this.#leftOfCertificates.observe((identity.validUntilMs - Date.now()) / 1000);
    }
    if (identity.name === 'admin') this.#users.with('admin').add();
    else (identity.name.includes('@') ? this.#emails : this.#otherUsers).add();
  }

  authorized(result: 'allowed' | 'no-opinion' | 'error', identity: Identity, durationMs: number): void {
    const { count, durations } = this.#allowedAs[result]!;
    count.add();
    durations.observe(durationMs / 1000);
    if (result !== 'allowed') return;
    if (identity.kind === 'host') this.#byNode.add();
    // As upstream: for these nobody is asked.
    else if (identity.kind !== 'platform' && !identity.groups.includes(SYSTEM_MASTERS)) this.#byRoles.add();
  }
}

function attempts(counter: Counter, histogram: Histogram, results: string[]): Record<string, Attempts> {
  return Object.fromEntries(
    results.map((result) => [result, { count: counter.with(result), durations: histogram.with(result) }]),
  );
}
