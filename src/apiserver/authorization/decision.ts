import type { PolicyRule } from './rbac/rules.ts';

export interface Decision {
  allowed: boolean;
  /** Shown to the asker. */
  reason: string;
}

export interface HeldRules {
  rules: PolicyRule[];
  /** What could not be found out, in upstream's words: bindings to roles that are not there. */
  errors: string[];
}
