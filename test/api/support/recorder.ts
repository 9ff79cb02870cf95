import type { Replay, ReplayControl, ReplayRequest } from '../../../api/replay-control.js';
import { TruecountError } from '../../../core/errors.js';
import { WORLD_START_MS } from './world.js';

/** Replays that only exist in memory: what the API asks of Temporal, written down. */
export class Recorder implements ReplayControl {
  readonly started: ReplayRequest[] = [];
  private readonly replays: Replay[] = [];

  async start(request: ReplayRequest): Promise<Replay> {
    this.started.push(request);
    const id = `replay/${request.from}--${request.to}`;
    if (this.replays.some((replay) => replay.id === id)) {
      throw new TruecountError('conflict', `${id} runs already`);
    }
    const replay: Replay = {
      id,
      runId: 'run',
      state: 'running',
      startedAtMs: WORLD_START_MS,
      closedAtMs: null,
      progress: null,
      result: null,
      error: null,
    };
    this.replays.unshift(replay);
    return replay;
  }

  end(id: string, result: NonNullable<Replay['result']>): void {
    const i = this.replays.findIndex((replay) => replay.id === id);
    this.replays[i] = { ...this.replays[i]!, state: 'completed', result };
  }

  async list(limit: number): Promise<Replay[]> {
    return this.replays.slice(0, limit);
  }

  async get(id: string): Promise<Replay | null> {
    return this.replays.find((replay) => replay.id === id) ?? null;
  }
}
