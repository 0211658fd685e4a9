import type { CustomResourceSubresources } from '../../generated/apiextensions-v1.ts';
import type { Findings } from '../../validation/findings.ts';

export function validateSubresources(
  subresources: CustomResourceSubresources | undefined,
  path: string,
  findings: Findings,
): void {
  const scale = subresources?.scale;
  if (!scale) return;
  const check = (field: string, text: string, roots: string[], where: string) => {
    const at = `${path}.scale.${field}`;
    if (!text.startsWith('.')) findings.invalid(at, text, 'must be a simple json path starting with .');
    else if (!roots.some((root) => text.startsWith(root))) findings.invalid(at, text, where);
  };
  if (!scale.specReplicasPath) findings.required(`${path}.scale.specReplicasPath`);
  else check('specReplicasPath', scale.specReplicasPath, ['.spec.'], 'should be a json path under .spec');
  if (!scale.statusReplicasPath) findings.required(`${path}.scale.statusReplicasPath`);
  else check('statusReplicasPath', scale.statusReplicasPath, ['.status.'], 'should be a json path under .status');
  if (!scale.labelSelectorPath) return;
  const where = 'should be a json path under either .spec or .status';
  check('labelSelectorPath', scale.labelSelectorPath, ['.spec.', '.status.'], where);
}
