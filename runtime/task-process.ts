/**
 * The process of tasks of recomputes: the batch engine lives and dies here, not in a worker. It takes
 * an order over the pipe of whoever started it, says how it goes, and waits for the next, until the
 * pipe is closed.
 */
import type { EngineContext } from '../batch/local-files.js';
import type { TaskProgress } from '../batch/task.js';
import { openLake } from '../lake/open.js';
import { packError } from './task-messages.js';
import type { TaskMessage, TaskOrder } from './task-messages.js';

/** Repeats the last progress, so that whoever listens can tell a long step from a dead process. */
const REPEAT_MS = 1_000;

async function run(order: TaskOrder): Promise<unknown> {
  const { job, lakeUrl, limits, scratchDir } = order;
  const progress = new Progress();
  const context: EngineContext = {
    lake: openLake(lakeUrl),
    limits,
    scratchDir,
    nowMs: Date.now,
    onProgress: (now) => {
      progress.tell(now);
    },
  };
  try {
    // Each job loads what it needs: a task is small as often as not.
    if (job.kind === 'aggregate') {
      const { aggregateTask } = await import('../batch/aggregate.js');
      return await aggregateTask(job.task, context);
    }
    return await load(job, context);
  } finally {
    progress.stop();
  }
}

async function load(
  { cells, draft, postgresUrl }: Extract<TaskOrder['job'], { kind: 'load' }>,
  context: EngineContext,
): Promise<unknown> {
  const [{ mergeCells }, { loadGeneration }, { LONG_SESSION_LIMITS }, { openSession }] =
    await Promise.all([
      import('../batch/merge-cells.js'),
      import('../store/generations/load.js'),
      import('../store/generations/limits.js'),
      import('../store/session.js'),
    ]);
  return mergeCells(cells, context, async (rows) => {
    const session = await openSession({
      connection: { connectionString: postgresUrl },
      applicationName: 'truecount-load',
      limits: LONG_SESSION_LIMITS,
    });
    try {
      return await loadGeneration(session, draft, rows);
    } finally {
      await session.end().catch(() => undefined);
    }
  });
}

class Progress {
  private last: TaskProgress | undefined;
  private readonly timer = setInterval(() => {
    if (this.last !== undefined) this.tell(this.last);
  }, REPEAT_MS);

  tell(progress: TaskProgress): void {
    this.last = progress;
    say({ kind: 'progress', progress });
  }

  stop(): void {
    clearInterval(this.timer);
  }
}

function say(message: TaskMessage): void {
  process.send!(message);
}

/** What `ps` shows; it must be short enough to fit over the command line. */
function show(doing: TaskOrder['job']['kind'] | 'idle'): void {
  process.title = `truecount task: ${doing}`;
}

// A Ctrl-C or a service manager's stop reaches the whole group: whoever gives the orders decides.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
// Whoever gives the orders is gone, or needs no more tasks: nobody wants a result.
process.once('disconnect', () => process.exit(0));
process.on('message', (order: TaskOrder) => {
  show(order.job.kind);
  void run(order)
    .then(
      (result): TaskMessage => ({ kind: 'done', result }),
      (error: unknown): TaskMessage => ({ kind: 'failed', error: packError(error) }),
    )
    .then((message) => {
      show('idle');
      say(message);
    });
});
show('idle');
say({ kind: 'ready' });
