/** The thread of one trial of a rule set; whoever waits for it ends it when it takes too long. */
import { parentPort, workerData } from 'node:worker_threads';
import { runTrials, type TrialOrder } from '../../api/answers/trial-steps.js';
import { packError } from '../task-messages.js';
import type { TrialMessage } from './trial-runs.js';

function outcome(): TrialMessage {
  try {
    return { kind: 'done', result: runTrials(workerData as TrialOrder) };
  } catch (error) {
    return { kind: 'failed', error: packError(error) };
  }
}

parentPort!.postMessage(outcome());
