import { parentPort } from 'node:worker_threads';
import { parseYamlText } from './parse.ts';

/** As text, which is read in steps: to take over a large value is one step, however long. */
export interface WorkerReading {
  json?: string;
  duplicates: string[];
  failure?: string;
  isTooLarge?: boolean;
}

function read(text: string): WorkerReading {
  const { value, ...reading } = parseYamlText(text);
  if (reading.failure !== undefined || reading.isTooLarge === true) return reading;
  try {
    // Text that says nothing is read as null.
    return { ...reading, json: JSON.stringify(value) ?? 'null' };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { duplicates: [], failure: 'exceeded max depth' };
  }
}

parentPort!.on('message', (text: string) => parentPort!.postMessage(read(text)));
