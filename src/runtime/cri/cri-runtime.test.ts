import { runtimeContract } from '../contract/runtime-contract.ts';
import { cannotRunContainers, makeCriTestBench } from './cri-test-bench.ts';

runtimeContract('cri', makeCriTestBench, cannotRunContainers());
