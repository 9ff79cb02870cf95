/** A history of one run, written by hand: what `Worker.runReplayHistory` reads (proto JSON). */
interface HistoryDocument {
  readonly events: readonly Record<string, unknown>[];
}

type Call = readonly [name: string, result: unknown];

/**
 * Writes histories event by event. `coreUsedFlags` switch on the checks of types and ids in replay;
 * inputs are not checked by it: a probe (probe.ts) sees them.
 */
export class HistoryScript {
  readonly #events: Record<string, unknown>[] = [];
  #lastTask = 0;
  #activities = 0;

  /** Up to the first workflow task that was completed. */
  constructor(
    type: string,
    input: unknown,
    private readonly startMs = Date.UTC(2026, 0, 1),
  ) {
    this.#add('WORKFLOW_EXECUTION_STARTED', 'workflowExecutionStarted', {
      workflowType: { name: type },
      taskQueue: { name: 'q' },
      input: payloads(input),
      originalExecutionRunId: 'r1',
      firstExecutionRunId: 'r1',
      attempt: 1,
      workflowTaskTimeout: '10s',
    });
    this.task();
  }

  /** @param suggestContinueAsNew as the server does when the history has grown long */
  task(suggestContinueAsNew = false): this {
    const scheduled = this.#add('WORKFLOW_TASK_SCHEDULED', 'workflowTaskScheduled', {
      taskQueue: { name: 'q' },
      attempt: 1,
    });
    const started = this.#add('WORKFLOW_TASK_STARTED', 'workflowTaskStarted', {
      scheduledEventId: String(scheduled),
      suggestContinueAsNew,
    });
    this.#lastTask = this.#add('WORKFLOW_TASK_COMPLETED', 'workflowTaskCompleted', {
      scheduledEventId: String(scheduled),
      startedEventId: String(started),
      sdkMetadata: {
        coreUsedFlags: [1, 2, 3],
        langUsedFlags: [],
        sdkName: 'temporal-typescript',
        sdkVersion: '1.24.0',
      },
    });
    return this;
  }

  /** Search attributes that the task before has set. */
  attributes(...names: string[]): this {
    const indexedFields = Object.fromEntries(names.map((name) => [name, payload('x')]));
    this.#add('UPSERT_WORKFLOW_SEARCH_ATTRIBUTES', 'upsertWorkflowSearchAttributes', {
      workflowTaskCompletedEventId: String(this.#lastTask),
      searchAttributes: { indexedFields },
    });
    return this;
  }

  /** Activities that the task before has scheduled; all are completed before the next. */
  activities(...calls: readonly Call[]): this {
    const scheduled = calls.map(([name]) => this.#schedule(name));
    calls.forEach(([, result], i) => {
      this.#finish(scheduled[i]!, 'COMPLETED', { result: payloads(result) });
    });
    return this.task();
  }

  /** One activity that is completed when the history has grown long. */
  lastActivity(name: string, result: unknown): this {
    this.#finish(this.#schedule(name), 'COMPLETED', { result: payloads(result) });
    return this.task(true);
  }

  /** One activity that fails for good with this failure. */
  failedActivity(name: string, failure: { type: string; message: string }): this {
    const scheduled = this.#schedule(name);
    const { message, type } = failure;
    this.#finish(scheduled, 'FAILED', {
      failure: { message, applicationFailureInfo: { type, nonRetryable: true } },
      retryState: 'RETRY_STATE_NON_RETRYABLE_FAILURE',
    });
    return this.task();
  }

  signal(signalName: string): this {
    this.#add('WORKFLOW_EXECUTION_SIGNALED', 'workflowExecutionSignaled', {
      signalName,
      input: { payloads: [] },
    });
    return this;
  }

  completed(result: unknown): HistoryDocument {
    this.#add('WORKFLOW_EXECUTION_COMPLETED', 'workflowExecutionCompleted', {
      result: payloads(result),
      workflowTaskCompletedEventId: String(this.#lastTask),
    });
    return { events: this.#events };
  }

  failed(failure: { type: string; message: string }): HistoryDocument {
    const { message, type } = failure;
    this.#add('WORKFLOW_EXECUTION_FAILED', 'workflowExecutionFailed', {
      failure: { message, applicationFailureInfo: { type, nonRetryable: true } },
      workflowTaskCompletedEventId: String(this.#lastTask),
    });
    return { events: this.#events };
  }

  continuedAsNew(type: string): HistoryDocument {
    this.#add('WORKFLOW_EXECUTION_CONTINUED_AS_NEW', 'workflowExecutionContinuedAsNew', {
      newExecutionRunId: 'r2',
      workflowType: { name: type },
      workflowTaskCompletedEventId: String(this.#lastTask),
    });
    return { events: this.#events };
  }

  #schedule(name: string): number {
    return this.#add('ACTIVITY_TASK_SCHEDULED', 'activityTaskScheduled', {
      activityId: String(++this.#activities),
      activityType: { name },
      taskQueue: { name: 'q' },
      startToCloseTimeout: '300s',
      workflowTaskCompletedEventId: String(this.#lastTask),
    });
  }

  #finish(scheduled: number, how: 'COMPLETED' | 'FAILED', rest: object): void {
    const started = this.#add('ACTIVITY_TASK_STARTED', 'activityTaskStarted', {
      scheduledEventId: String(scheduled),
      attempt: 1,
    });
    const key = how === 'COMPLETED' ? 'activityTaskCompleted' : 'activityTaskFailed';
    this.#add(`ACTIVITY_TASK_${how}`, key, {
      scheduledEventId: String(scheduled),
      startedEventId: String(started),
      ...rest,
    });
  }

  #add(type: string, key: string, attributes: object): number {
    const id = this.#events.length + 1;
    this.#events.push({
      eventId: String(id),
      eventTime: new Date(this.startMs + id * 1000).toISOString(),
      eventType: `EVENT_TYPE_${type}`,
      [`${key}EventAttributes`]: attributes,
    });
    return id;
  }
}

function payloads(value: unknown): object {
  return { payloads: [payload(value)] };
}

function payload(value: unknown): object {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  return {
    metadata: { encoding: base64('json/plain') },
    data: base64(JSON.stringify(value ?? null)),
  };
}
