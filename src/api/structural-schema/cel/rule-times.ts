import { Histogram, type Metric } from '../../../base/metrics.ts';

const seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const compilations = new Histogram(
  'apiserver_cel_compilation_duration_seconds',
  'Time to compile the rules of one node of a schema.',
  [],
  seconds,
);
const evaluations = new Histogram(
  'apiserver_cel_evaluation_duration_seconds',
  'Time to hold one value to the rules of its node of a schema.',
  [],
  seconds,
);

/** Of the process, as the compiled rules themselves are. Source: apiserver's pkg/cel/metrics. */
export const ruleMetrics: readonly Metric[] = [compilations, evaluations];

const compilation = compilations.with();
const evaluation = evaluations.with();

export const rulesCompiled = (durationMs: number): void => compilation.observe(durationMs / 1000);
export const rulesEvaluated = (durationMs: number): void => evaluation.observe(durationMs / 1000);
