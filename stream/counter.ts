import { ClickDecoder, DECODED, rejectReason } from '../core/click/decode.js';
import { createClickView } from '../core/click/view.js';
import type { ClickView } from '../core/click/view.js';
import { TruecountError } from '../core/errors.js';
import { HOUR_MS, MINUTE_MS } from '../core/time.js';
import { versionFor } from '../core/rules/versions.js';
import type { RulesInForce } from '../core/rules/versions.js';
import type { HourState } from '../store/hours.js';
import type { StoredRuleSet } from '../store/rule-sets.js';
import { FlushBuffer } from './flush-buffer.js';
import { HeldClicks } from './held-clicks.js';
import { hash128 } from './hash128.js';
import type { FilterTable } from './compiled-rules.js';
import { ByteInterner } from './interner.js';
import { decodeRecordSet } from './kafka/record-batch.js';
import type { RecordSink } from './kafka/record-batch.js';
import type { FetchedBatch } from './log-source.js';
import type { PartitionHour, PartitionState } from './partition-state.js';
import { RuleBook } from './rule-book.js';

/** End of year 9999: a record on a topic without broker time may say anything. */
const APPEND_MS_MAX = 253_402_300_799_999;
/** Text held by the interners above which they are emptied after a flush; twice asks for one. */
const TEXT_BYTES_MAX = 64 * 1024 * 1024;

export interface CounterOptions {
  /** What is in force for hours without a row. */
  readonly versions: readonly RulesInForce[];
  /** All that is in force, and what existing hours pin. */
  readonly ruleSets: readonly StoredRuleSet[];
  /** Four random words: see hash128. */
  readonly seeds: Int32Array;
  /** Records in the buffer at most. */
  readonly flushClicksMax: number;
  /** Default: 64 MiB. */
  readonly textBytesMax?: number;
}

/**
 * Decides what each record is, and buffers it: decode → hour → late, duplicate or counted → cells.
 * The hot path of the stream; it does no I/O and asks no clock.
 */
export class Counter implements RecordSink {
  readonly buffer: FlushBuffer;
  /** Hours that no longer count, as far as known. */
  readonly cutHours = new Set<number>();
  readonly pins = new Map<number, string>();
  private readonly versions: readonly RulesInForce[];
  private readonly rules: RuleBook;
  private readonly ads: ByteInterner;
  private readonly decoder: ClickDecoder;
  private readonly view: ClickView;
  private readonly held: HeldClicks;
  private state: PartitionState | null = null;
  private hour: PartitionHour | null = null;
  private logStartOffset = 0;
  private readonly flushClicksMax: number;
  private readonly textBytesMax: number;
  /** The buffer has reached a bound: reading stops until a flush was committed. */
  full = false;

  constructor({ versions, ruleSets: sets, seeds, flushClicksMax, textBytesMax }: CounterOptions) {
    this.flushClicksMax = flushClicksMax;
    this.textBytesMax = textBytesMax ?? TEXT_BYTES_MAX;
    this.versions = versions;
    this.rules = new RuleBook(sets);
    const { fields, dimensionsMax, capsMax } = this.rules;
    this.buffer = new FlushBuffer(dimensionsMax);
    this.held = new HeldClicks(dimensionsMax, capsMax);
    this.decoder = new ClickDecoder(fields);
    this.view = createClickView(fields.length);
    this.ads = new ByteInterner(seeds);
  }

  get texts(): { ads: ByteInterner; filters: FilterTable } {
    return { ads: this.ads, filters: this.rules.filters };
  }

  /** True if every one of these pins can be counted by. */
  knows(pins: Iterable<string>): boolean {
    for (const pin of pins) if (!this.rules.has(pin)) return false;
    return true;
  }

  /**
   * Goes on where another counter with the same seeds ends, after a commit: nothing is buffered, and
   * what the partitions remember of ids and caps stays true. What it counted by, this one knows.
   */
  adopt(before: Counter, partitions: Iterable<PartitionState>): void {
    for (const hourMs of before.cutHours) this.cutHours.add(hourMs);
    for (const [hourMs, pin] of before.pins) this.pins.set(hourMs, pin);
    for (const partition of partitions) {
      for (const hour of partition.hours.values()) {
        hour.rules = this.rules.rulesOf(hour.rules.hash);
      }
    }
  }

  /** Takes over what Postgres says of hours; memory of cut ones is dropped. */
  learn(states: readonly HourState[], partitions: Iterable<PartitionState>): void {
    for (const { hourMs, cut, pin } of states) {
      this.pins.set(hourMs, pin);
      if (cut) this.cutHours.add(hourMs);
    }
    for (const partition of partitions) {
      for (const hour of partition.hours.values()) {
        if (hour.cut || !this.cutHours.has(hour.hourMs)) continue;
        hour.cut = true;
        hour.ids = null;
        hour.capped = null;
      }
    }
  }

  /**
   * Reads a fetch result from the partition's position on, until it ends or the buffer is full. A
   * record batch that is damaged is skipped: its offsets are lost, with the alarm that goes with it,
   * and what follows is counted. Returns the damage, if there was any.
   * @throws TruecountError `corrupt_record_batch` if not even its length can be told
   */
  read(state: PartitionState, batch: FetchedBatch): TruecountError | undefined {
    this.state = state;
    this.hour = null;
    this.logStartOffset = batch.logStartOffset;
    let damage: TruecountError | undefined;
    let end: number;
    try {
      end = decodeRecordSet(batch, state.position, this);
    } catch (error) {
      damage = damageOf(error);
      end = damage?.context['nextOffset'] as number;
    } finally {
      this.settle(state);
    }
    if (end > state.position) state.skipTo(end, damage ? 'damage' : this.whyMissing(state));
    return damage;
  }

  private whyMissing(state: PartitionState): 'retention' | 'gap' {
    return this.logStartOffset > Math.max(state.position, state.countFrom) ? 'retention' : 'gap';
  }

  onRecord(source: Uint8Array, start: number, end: number, offset: number, appendMs: number): void {
    const state = this.state!;
    if (offset < state.position) return;
    if (offset > state.position) state.skipTo(offset, this.whyMissing(state));
    const result = this.decoder.decodeInto(source, start, end, appendMs, this.view);
    if (result === DECODED) {
      this.hold(state, offset, appendMs);
    } else if (offset >= state.countFrom) {
      this.reject(state, offset, appendMs, result, Buffer.from(source.subarray(start, end)));
    }
    state.position = offset + 1;
  }

  onNull(offset: number, appendMs: number): void {
    const state = this.state!;
    if (offset < state.position) return;
    if (offset > state.position) state.skipTo(offset, this.whyMissing(state));
    if (offset >= state.countFrom) {
      const result = this.decoder.decodeInto(null, 0, 0, appendMs, this.view);
      this.reject(state, offset, appendMs, result, null);
    }
    state.position = offset + 1;
  }

  onControl(fromOffset: number, toOffset: number): void {
    const state = this.state!;
    if (fromOffset > state.position) state.skipTo(fromOffset, this.whyMissing(state));
    state.skipControl(fromOffset, toOffset);
  }

  /** After a flush of `states` was committed. */
  committed(states: ReadonlySet<PartitionState>): void {
    this.buffer.clear();
    this.full = false;
    for (const state of states) state.committed();
    if (this.textBytes > this.textBytesMax) this.forgetTexts();
  }

  /** While the memory is rebuilt nothing is buffered that could be flushed: then they just go. */
  private hasTooManyTexts(): boolean {
    if (this.textBytes <= 2 * this.textBytesMax) return false;
    if (!this.buffer.isEmpty) return true;
    this.forgetTexts();
    return false;
  }

  private forgetTexts(): void {
    this.ads.clear();
    this.rules.reset();
  }

  /** Bytes of all texts that the integers stand for. */
  private get textBytes(): number {
    return this.ads.bytes + this.rules.bytes;
  }

  private hourOf(state: PartitionState, eventMs: number): PartitionHour {
    const last = this.hour;
    if (last !== null && eventMs >= last.hourMs && eventMs < last.hourMs + HOUR_MS) return last;
    const hourMs = eventMs - (eventMs % HOUR_MS);
    const hour = state.hours.get(hourMs) ?? this.firstSight(state, hourMs);
    this.hour = hour;
    return hour;
  }

  private firstSight(state: PartitionState, hourMs: number): PartitionHour {
    const pin = this.pins.get(hourMs) ?? versionFor(this.versions, hourMs)!.hash;
    return state.addHour(hourMs, this.rules.rulesOf(pin), this.cutHours.has(hourMs));
  }

  /** Takes what is needed of the decoded click; it is counted when the others around it are. */
  private hold(state: PartitionState, offset: number, appendMs: number): void {
    const { view, held, ads } = this;
    const { eventMs } = view;
    const hour = this.hourOf(state, eventMs);
    const fresh = offset >= state.countFrom;
    if (!fresh && hour.ids === null) return;
    const i = held.count++;
    const ad = ads.intern(view.source, view.adStart, view.adEnd);
    held.hours[i] = hour;
    held.ads[i] = ad;
    held.offsets[i] = offset;
    if (hour.ids !== null) {
      const seed = ads.wordsAt(ad);
      hash128(view.source, view.idStart, view.idEnd, ads.words(), seed, held.words, i * 4);
    }
    if (fresh) {
      const seenMs = eventMs < appendMs ? eventMs : appendMs;
      if (seenMs > state.maxEventMs) state.maxEventMs = seenMs;
    }
    held.minutes[i] = (eventMs - hour.hourMs) / MINUTE_MS;
    // What only fills the memory of ids needs no judgement, unless caps remember, too.
    if (fresh || hour.capped !== null) {
      const { rules } = hour;
      held.reasons[i] = rules.judge(view, held.filters, i * held.width, held.width);
      if (hour.capped !== null) held.holdCaps(i, view, ads);
    }
    if (held.full) this.settle(state);
  }

  /** Counts the held clicks, in log order. */
  private settle(state: PartitionState): void {
    const { held } = this;
    held.touch();
    for (let i = 0; i < held.count; i++) {
      const fresh = this.isNew(i);
      const reason = fresh ? held.reasonOf(i) : 0;
      // Below `countFrom` a click was decided before; only the memory needed it.
      if (held.offsets[i]! >= state.countFrom) this.count(state, i, fresh, reason);
    }
    held.clear();
    this.full = this.buffer.isFull(this.flushClicksMax) || this.hasTooManyTexts();
  }

  /** Adds the click's id to the memory of its hour; false if it was there. */
  private isNew(i: number): boolean {
    const { ids } = this.held.hours[i]!;
    if (ids === null) return true;
    const { words } = this.held;
    const at = i * 4;
    return ids.add(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!);
  }

  private count(state: PartitionState, i: number, fresh: boolean, reason: number): void {
    const { held, buffer } = this;
    const hour = held.hours[i]!;
    const minute = held.minutes[i]!;
    const ad = held.ads[i]!;
    const index = hour.group >= 0 ? hour.group : buffer.groupOf(state, hour);
    const group = buffer.group(index);
    const { filters, width } = held;
    if (!fresh) {
      state.fates.duplicate++;
      group.duplicate[minute]!++;
    } else if (hour.cut) {
      state.fates.late++;
      group.late[minute]!++;
      buffer.late.add(held.offsets[i]!, index, minute, ad, filters, i * width);
    } else if (reason !== 0) {
      state.fates.filtered++;
      group.filteredBy(reason)[minute]!++;
      buffer.filtered.add(held.offsets[i]!, index, minute, ad, filters, i * width);
    } else {
      state.fates.counted++;
      group.counted[minute]!++;
      buffer.counted.add(held.offsets[i]!, index, minute, ad, filters, i * width);
      buffer.cells.add(index, 0, ad, minute);
      for (let d = 0; d < width; d++) {
        const filter = filters[i * width + d]!;
        if (filter >= 0) buffer.cells.add(index, filter, ad, minute);
      }
    }
  }

  private reject(
    state: PartitionState,
    offset: number,
    appendMs: number,
    result: number,
    raw: Buffer | null,
  ): void {
    state.fates.quarantined++;
    this.buffer.addQuarantined(raw?.length ?? 0);
    state.quarantine.push({
      slot: state.slot,
      offset,
      appendMs: Math.min(Math.max(appendMs, 0), APPEND_MS_MAX),
      reason: rejectReason(result),
      detail: this.decoder.detail,
      raw,
    });
    this.full = this.buffer.isFull(this.flushClicksMax);
  }
}

/** The damage that can be skipped; anything else is thrown on. */
function damageOf(error: unknown): TruecountError {
  const skippable =
    error instanceof TruecountError &&
    error.code === 'corrupt_record_batch' &&
    error.context['nextOffset'] !== undefined;
  if (!skippable) throw error;
  return error;
}
