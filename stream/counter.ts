import { ClickDecoder, DECODED, rejectReason } from '../core/click/decode.js';
import { createClickView } from '../core/click/view.js';
import type { ClickView } from '../core/click/view.js';
import { HOUR_MS, MINUTE_MS } from '../core/time.js';
import type { HourState } from '../store/hours.js';
import type { StoredRuleSet } from '../store/rule-sets.js';
import { CompiledRules, FilterTable } from './compiled-rules.js';
import { FlushBuffer } from './flush-buffer.js';
import { hash128 } from './hash128.js';
import { ByteInterner } from './interner.js';
import type { RecordSink } from './kafka/record-batch.js';
import type { PartitionHour, PartitionState } from './partition-state.js';

/** Text held by the interners above which they are emptied after a flush. */
const TEXT_BYTES_MAX = 64 * 1024 * 1024;

export interface CounterOptions {
  /** The rule set that an hour without a row is counted by. */
  readonly active: StoredRuleSet;
  /** Those that existing hours pin. */
  readonly pinned: readonly StoredRuleSet[];
  /** Four random words: see hash128. */
  readonly seeds: Int32Array;
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
  private readonly active: CompiledRules;
  private readonly rules = new Map<string, CompiledRules>();
  private readonly filters = new FilterTable();
  private readonly ads: ByteInterner;
  private readonly decoder: ClickDecoder;
  private readonly view: ClickView;
  private readonly clickFilters: Int32Array;
  private readonly words = new Int32Array(4);
  private state: PartitionState | null = null;
  private hour: PartitionHour | null = null;
  private logStartOffset = 0;

  constructor({ active, pinned, seeds }: CounterOptions) {
    const sets = [active, ...pinned.filter((set) => set.hash !== active.hash)];
    const fields = [...new Set(sets.flatMap((s) => s.ruleSet.dimensions.map((d) => d.field)))];
    for (const { hash, ruleSet } of sets) {
      this.rules.set(hash, new CompiledRules(hash, ruleSet, fields, this.filters));
    }
    this.active = this.rules.get(active.hash)!;
    const width = Math.max(...sets.map((s) => s.ruleSet.dimensions.length));
    this.buffer = new FlushBuffer(width);
    this.clickFilters = new Int32Array(width).fill(-1);
    this.decoder = new ClickDecoder(fields);
    this.view = createClickView(fields.length);
    this.ads = new ByteInterner(seeds);
  }

  get texts(): { ads: ByteInterner; filters: FilterTable } {
    return { ads: this.ads, filters: this.filters };
  }

  /** True if every one of these pins can be counted by. */
  knows(pins: Iterable<string>): boolean {
    for (const pin of pins) if (!this.rules.has(pin)) return false;
    return true;
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
      }
    }
  }

  /** The records that follow are of this partition. */
  open(state: PartitionState, logStartOffset: number): void {
    this.state = state;
    this.hour = null;
    this.logStartOffset = logStartOffset;
  }

  onRecord(source: Uint8Array, start: number, end: number, offset: number, appendMs: number): void {
    const state = this.state!;
    if (offset < state.position) return;
    if (offset > state.position) state.skipTo(offset, this.logStartOffset);
    const result = this.decoder.decodeInto(source, start, end, appendMs, this.view);
    if (offset < state.countFrom) {
      if (result === DECODED) this.remember(state);
    } else if (result === DECODED) {
      this.count(state, offset, appendMs);
    } else {
      this.reject(state, offset, appendMs, result, Buffer.from(source.subarray(start, end)));
    }
    state.position = offset + 1;
  }

  onNull(offset: number, appendMs: number): void {
    const state = this.state!;
    if (offset < state.position) return;
    if (offset > state.position) state.skipTo(offset, this.logStartOffset);
    if (offset >= state.countFrom) {
      const result = this.decoder.decodeInto(null, 0, 0, appendMs, this.view);
      this.reject(state, offset, appendMs, result, null);
    }
    state.position = offset + 1;
  }

  onControl(fromOffset: number, toOffset: number): void {
    const state = this.state!;
    if (fromOffset > state.position) state.skipTo(fromOffset, this.logStartOffset);
    state.skipControl(fromOffset, toOffset);
  }

  /** After a flush of `states` was committed. */
  committed(states: ReadonlySet<PartitionState>): void {
    this.buffer.clear(states);
    for (const state of states) state.committed();
    const bytes = [...this.rules.values()].reduce((sum, rules) => sum + rules.bytes, 0);
    if (this.ads.bytes + this.filters.texts.bytes + bytes <= TEXT_BYTES_MAX) return;
    this.ads.clear();
    this.filters.reset();
    for (const rules of this.rules.values()) rules.reset();
  }

  private hourOf(state: PartitionState, eventMs: number): PartitionHour {
    const hourMs = eventMs - (eventMs % HOUR_MS);
    let hour = this.hour;
    if (hour?.hourMs !== hourMs) {
      hour = state.hours.get(hourMs) ?? this.firstSight(state, hourMs);
      this.hour = hour;
    }
    return hour;
  }

  private firstSight(state: PartitionState, hourMs: number): PartitionHour {
    const pin = this.pins.get(hourMs);
    const rules = pin === undefined ? this.active : this.rules.get(pin)!;
    return state.addHour(hourMs, rules, this.cutHours.has(hourMs));
  }

  /** Adds the click's id to the memory of its hour; false if it was there. */
  private isNew(hour: PartitionHour, ad: number): boolean {
    if (hour.ids === null) return true;
    const { view, words, ads } = this;
    hash128(view.source, view.idStart, view.idEnd, ads.words(), ads.wordsAt(ad), words, 0);
    return hour.ids.add(words[0]!, words[1]!, words[2]!, words[3]!);
  }

  private internAd(): number {
    return this.ads.intern(this.view.source, this.view.adStart, this.view.adEnd);
  }

  /** Rebuilding: the click was decided before; only the memory needs it. */
  private remember(state: PartitionState): void {
    const hour = this.hourOf(state, this.view.eventMs);
    if (hour.ids !== null) this.isNew(hour, this.internAd());
  }

  private count(state: PartitionState, offset: number, appendMs: number): void {
    const { view, buffer } = this;
    const { eventMs } = view;
    const hour = this.hourOf(state, eventMs);
    const seenMs = eventMs < appendMs ? eventMs : appendMs;
    if (seenMs > state.maxEventMs) state.maxEventMs = seenMs;
    const minute = Math.floor((eventMs - hour.hourMs) / MINUTE_MS);
    const group = hour.group >= 0 ? hour.group : buffer.groupOf(state, hour);
    const ad = this.internAd();
    const fresh = hour.cut || this.isNew(hour, ad);
    if (!fresh) {
      state.fates.duplicate++;
      buffer.group(group).duplicate[minute]!++;
      return;
    }
    const filters = this.clickFilters;
    const dimensions = hour.rules.dimensionCount;
    hour.rules.filters(view, filters, 0);
    for (let d = dimensions; d < filters.length; d++) filters[d] = -1;
    if (hour.cut) {
      state.fates.late++;
      buffer.group(group).late[minute]!++;
      buffer.late.add(offset, group, minute, ad, filters);
      return;
    }
    state.fates.counted++;
    buffer.group(group).counted[minute]!++;
    buffer.counted.add(offset, group, minute, ad, filters);
    buffer.cells.add(group, 0, ad, minute);
    for (let d = 0; d < dimensions; d++) buffer.cells.add(group, filters[d]!, ad, minute);
  }

  private reject(
    state: PartitionState,
    offset: number,
    appendMs: number,
    result: number,
    raw: Buffer | null,
  ): void {
    state.fates.quarantined++;
    const { buffer } = this;
    buffer.quarantineBytes += raw?.length ?? 0;
    buffer.quarantine.push({
      slot: state.slot,
      offset,
      appendMs,
      reason: rejectReason(result),
      detail: this.decoder.detail,
      raw,
    });
  }
}
