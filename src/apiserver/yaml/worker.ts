import { parentPort } from 'node:worker_threads';
import { parseYamlText } from './parse.ts';

parentPort!.on('message', (text: string) => parentPort!.postMessage(parseYamlText(text)));
