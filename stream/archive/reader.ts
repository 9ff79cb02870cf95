import { shredClick } from '../../core/click/shred.js';
import { TruecountError } from '../../core/errors.js';
import { HOUR_MS, hourOf } from '../../core/time.js';
import type { ClickWriter } from '../../lake/click-writer.js';
import { decodeRecordSet } from '../kafka/record-batch.js';
import type { RecordSink } from '../kafka/record-batch.js';
import type { FetchedBatch } from '../log-source.js';
import { FLUSH_HOURS_MAX, FLUSH_RECORDS_MAX } from './options.js';
import type { ArchivePartition } from './partition.js';

/** End of year 9999: a record on a topic without broker time may say anything. */
const APPEND_MS_MAX = 253_402_300_799_999;

/** Takes records apart into the writer's buffer, until that is full (I13). */
export class ArchiveReader implements RecordSink {
  private state: ArchivePartition | null = null;
  private logStartOffset = 0;
  private records = 0;
  private hourMs = 0;
  private readonly hours = new Set<number>();

  constructor(
    private readonly writer: ClickWriter,
    private readonly bytesMax: number,
  ) {}

  /** The buffer has reached its bound: reading stops until it was committed. */
  get full(): boolean {
    return (
      this.writer.bytes >= this.bytesMax ||
      this.records >= FLUSH_RECORDS_MAX ||
      this.hours.size >= FLUSH_HOURS_MAX
    );
  }

  /**
   * Reads a fetch result from the partition's position on, until it ends or the buffer is full. A
   * record batch that is damaged is skipped: its offsets are lost, with the alarm that goes with it.
   * Returns the damage, if there was any.
   * @throws TruecountError `corrupt_record_batch` if not even its length can be told
   */
  read(state: ArchivePartition, batch: FetchedBatch): TruecountError | undefined {
    this.state = state;
    this.logStartOffset = batch.logStartOffset;
    try {
      state.skipTo(decodeRecordSet(batch, state.position, this), this.whyMissing(state));
      return undefined;
    } catch (error) {
      const damaged = error instanceof TruecountError && error.code === 'corrupt_record_batch';
      const next = damaged ? error.context['nextOffset'] : undefined;
      if (!damaged || typeof next !== 'number') throw error;
      state.skipTo(next, 'damage');
      return error;
    }
  }

  onRecord(source: Uint8Array, start: number, end: number, offset: number, appendMs: number): void {
    this.take(source.subarray(start, end), offset, appendMs);
  }

  onNull(offset: number, appendMs: number): void {
    this.take(null, offset, appendMs);
  }

  onControl(fromOffset: number, toOffset: number): void {
    const state = this.state!;
    state.skipTo(fromOffset, this.whyMissing(state));
    state.skipControl(toOffset);
  }

  /** After a commit, or when everything was thrown away. */
  cleared(): void {
    this.records = 0;
    this.hourMs = 0;
    this.hours.clear();
  }

  private take(value: Uint8Array | null, offset: number, appendMs: number): void {
    const state = this.state!;
    if (offset < state.position) return;
    state.skipTo(offset, this.whyMissing(state));
    const click = shredClick(value, appendMs);
    const isClick = click.kind === 'click';
    if (isClick) {
      this.writer.add(state.source, offset, Math.min(appendMs, APPEND_MS_MAX), click);
      this.noteHour(click.eventMs);
    }
    state.took(isClick);
    this.records++;
  }

  private noteHour(eventMs: number): void {
    if (eventMs >= this.hourMs && eventMs < this.hourMs + HOUR_MS) return;
    this.hourMs = hourOf(eventMs);
    this.hours.add(this.hourMs);
  }

  private whyMissing(state: ArchivePartition): 'retention' | 'gap' {
    return this.logStartOffset > state.position ? 'retention' : 'gap';
  }
}
