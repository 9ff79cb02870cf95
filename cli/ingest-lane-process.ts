/**
 * The process of a lane of `truecount ingest --parallel`: reads and sends files on a core of its own,
 * one order after the other, until the pipe is closed.
 */
import { packError } from '../runtime/task-messages.js';
import { openLane } from './ingest-lane.js';
import type { Lane } from './ingest-lane.js';
import type { LaneMessage, LaneOrder } from './ingest-lane-messages.js';

let lane: Lane | undefined;

async function obey(order: LaneOrder): Promise<LaneMessage> {
  switch (order.kind) {
    case 'open':
      lane = await openLane(order.config, order.options, {
        progress: (path, progress) => {
          say({ kind: 'progress', path, progress });
        },
        tell: (words) => {
          say({ kind: 'told', words });
        },
      });
      return { kind: 'done', result: null };
    case 'send':
      return { kind: 'done', result: await lane!.send(order.path) };
    default:
      await lane?.close();
      return { kind: 'done', result: null };
  }
}

/** Where nobody listens any more, `disconnect` ends the process. */
function say(message: LaneMessage): void {
  process.send!(message, undefined, undefined, () => undefined);
}

// A Ctrl-C reaches the whole group: whoever gives the orders decides, and takes the pipe along.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
process.once('disconnect', () => process.exit(0));
process.on('message', (order: LaneOrder) => {
  void obey(order)
    .catch((error: unknown): LaneMessage => ({ kind: 'failed', error: packError(error) }))
    .then(say);
});
