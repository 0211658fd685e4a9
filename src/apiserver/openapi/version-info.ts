import type { FieldSchema, TypeSchema } from '../../api/schema.ts';

const text = (required: boolean): FieldSchema => ({
  type: { kind: 'string' },
  number: 0,
  required,
  optional: !required,
  emitted: required ? 'always' : 'nonzero',
});

/** What /version answers with. Source: apimachinery's version.Info. */
export const versionInfo: TypeSchema = {
  name: 'io.k8s.apimachinery.pkg.version.Info',
  fields: {
    major: text(true),
    minor: text(true),
    emulationMajor: text(false),
    emulationMinor: text(false),
    minCompatibilityMajor: text(false),
    minCompatibilityMinor: text(false),
    gitVersion: text(true),
    gitCommit: text(true),
    gitTreeState: text(true),
    buildDate: text(true),
    goVersion: text(true),
    compiler: text(true),
    platform: text(true),
  },
};
