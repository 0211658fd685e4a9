import type { PolicyRule } from './rbac/rules.ts';

export interface Decision {
  allowed: boolean;
  /** Nobody else is to be asked: an authorizer said no, not only that it knows of no yes. */
  denied?: boolean;
  /** Shown to the asker. */
  reason: string;
  /** What went wrong on the way to the decision; shown in reviews. */
  error?: string;
}

export interface HeldRules {
  rules: PolicyRule[];
  /** What could not be found out, in upstream's words: bindings to roles that are not there. */
  errors: string[];
  /** There are authorizers that cannot say what they allow. */
  incomplete?: boolean;
}
