import { runtimeContract } from '../contract/runtime-contract.ts';
import { cannotRunContainers, makeCriTestBench } from './testing/test-bench.ts';

runtimeContract('cri', makeCriTestBench, cannotRunContainers());
