import { uptime } from 'node:os'
import type { Sampler } from '../../public/sampler.js'
import { SystemMonitor, type SystemStats } from '../../public/system.js'
import { RATE_WINDOW_MS, type Table } from '../../public/table.js'
import type { FieldContext } from '../ps/fields.js'
import { passed } from '../stop_signals.js'
import { act, lookInto } from './act.js'
import { DEFAULT_FIELDS, groupsOf, type Style } from './columns.js'
import { headerOf, pageOf, partsOf, tooSmall } from './draw.js'
import { frameLines } from './frame.js'
import { History } from './history.js'
import { TableListing } from './listing.js'
import type { TopOptions } from './options.js'
import { type Order, orderOf, type View } from './order.js'
import { press } from './press.js'
import type { Screen } from './screen.js'
import { type Chosen, type Effect, nameOf, type State, settle } from './state.js'

/** Processes whose command lines are read in one go, so that keys are heard in between. */
const DETAILS_AT_ONCE = 256
/** To filter very many anew for each of those takes longer than to read them. */
const REDRAW_MS = 250
/** Far more than a stop takes that comes. */
const UNHEEDED_MS = 200
/** The process group, to kill(2). */
const JOB = 0

/** What is known of the host at one tick. */
interface Tick {
  readonly table: Table
  readonly stats: SystemStats
  readonly context: FieldContext
}

/** Samples, hears keys and draws, until it is told to stop. */
export class Session {
  readonly #sampler: Sampler
  readonly #monitor = new SystemMonitor({
    sections: ['cpu', 'memory', 'load', 'uptime', 'cpuPressure', 'memoryPressure', 'ioPressure'],
  })
  readonly #screen: Screen
  readonly #options: TopOptions
  readonly #style: Omit<Style, 'width'>
  readonly #history = new History()
  readonly #stop = new AbortController()
  #unheeded: NodeJS.Timeout | undefined
  /** Whom the latest key asks to look into. */
  #looked: Chosen | undefined
  #wake = new AbortController()
  #state: State
  #tick: Tick | undefined
  #order: { readonly order: Order; readonly view: View; readonly table: Table } | undefined
  #drawing: NodeJS.Immediate | undefined
  #isReadingSeen = false
  /** Slots whose details are still to be read for a filter or an order by them; undefined while none needs them. */
  #unread: number[] | undefined
  #isReadingAll = false

  constructor(sampler: Sampler, screen: Screen, options: TopOptions, style: Omit<Style, 'width'>) {
    this.#sampler = sampler
    this.#screen = screen
    this.#options = options
    this.#style = style
    this.#state = {
      view: options.view,
      fields: DEFAULT_FIELDS,
      selected: undefined,
      at: 0,
      top: 0,
      frozen: false,
      dialog: undefined,
      told: undefined,
    }
  }

  /** Until `q`, or until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#quit())
    // Stopped by SIGSTOP, it finds the terminal as the shell has left it.
    process.on('SIGCONT', this.#enterAnew)
    process.on('SIGTSTP', this.#onStop)
    if (signal.aborted) this.#quit()
    while (!this.#stop.signal.aborted) {
      const wake = new AbortController()
      this.#wake = wake
      const began = performance.now()
      const isFirst = this.#tick === undefined
      if (!this.#state.frozen) await this.#sample()
      const took = performance.now() - began
      const { intervalMs } = this.#options
      const windowMs = RATE_WINDOW_MS[this.#tick!.table.source]
      await passed(windowMs, this.#stop.signal)
      if (isFirst) continue
      // At most half of the time is spent on samples, however long they take.
      const restMs = Math.max(intervalMs - took, Math.min(intervalMs, took)) - windowMs
      await passed(Math.max(0, restMs), wake.signal)
    }
    process.off('SIGCONT', this.#enterAnew)
    process.off('SIGTSTP', this.#onStop)
    clearTimeout(this.#unheeded)
    clearImmediate(this.#drawing)
    this.#unread = undefined
  }

  /** Text that is pasted by mistake must not command anything: it is taken where text is asked for. */
  press(key: string, isPasted: boolean): void {
    const { dialog } = this.#state
    const takesText = dialog?.kind === 'filter' || dialog?.kind === 'prompt'
    if (isPasted && key !== 'ctrl-c' && (!takesText || key === 'return')) return
    // What is not seen is not to be commanded.
    const listing = tooSmall(this.#screen.size) === undefined ? this.#listing() : undefined
    if (listing === undefined) {
      if (key === 'q' || key === 'ctrl-c') this.#quit()
      return
    }
    const before = this.#state
    const { state, effect } = press(before, key, listing)
    this.#state = state
    if (state.view !== before.view) this.#settle()
    const needsSample = state.fields !== before.fields || state.view.sort !== before.view.sort
    if (needsSample || before.frozen !== state.frozen) this.#wake.abort()
    if (effect !== undefined) void this.#carryOut(effect)
    this.draw()
  }

  /** Soon, once for all that has changed by then. */
  draw(): void {
    this.#drawing ??= setImmediate(() => {
      this.#drawing = undefined
      this.#paint()
    })
  }

  async #carryOut(effect: Effect): Promise<void> {
    switch (effect.kind) {
      case 'quit':
        return this.#quit()
      case 'repaint':
        return this.#screen.repaint()
      case 'suspend':
        return this.#suspend(JOB)
      case 'act':
        this.#tell(await act(effect.action, effect.target))
        return this.#wake.abort()
      case 'inspect': {
        this.#tell(`${nameOf(effect.target)}: being read`)
        this.#looked = effect.target
        const found = await lookInto(effect.target)
        if (this.#looked !== effect.target) return
        if (typeof found === 'string') return this.#tell(found)
        if (this.#state.dialog !== undefined) return
        this.#state = { ...this.#state, dialog: found, told: undefined }
        return this.draw()
      }
    }
  }

  #quit(): void {
    this.#stop.abort()
    this.#wake.abort()
  }

  #tell(told: string): void {
    this.#state = { ...this.#state, told }
    this.draw()
  }

  /** @param whom `JOB`, as the terminal itself would have done it, or this process */
  #suspend(whom: number): void {
    process.off('SIGTSTP', this.#onStop)
    this.#screen.leave()
    // Without a shell that could continue it (ssh host muster top), the kernel does not stop it.
    this.#unheeded = setTimeout(this.#enterAnew, UNHEEDED_MS)
    process.kill(whom, 'SIGTSTP')
  }

  /** Others of the job have got theirs. */
  readonly #onStop = (): void => this.#suspend(process.pid)

  readonly #enterAnew = (): void => {
    clearTimeout(this.#unheeded)
    process.off('SIGTSTP', this.#onStop).on('SIGTSTP', this.#onStop)
    this.#screen.leave()
    this.#screen.enter()
    this.draw()
  }

  async #sample(): Promise<void> {
    const { fields, view } = this.#state
    await this.#sampler.setGroups(groupsOf([...fields, view.sort]))
    const table = await this.#sampler.sample()
    const stats = await this.#monitor.read(table)
    this.#history.keep(table)
    this.#tick = { table, stats, context: { uptimeSeconds: uptime(), sampledAtMs: table.sampledAtMs } }
    this.#unread?.push(...table.bornSlots, ...table.execedSlots)
    this.#settle()
    this.draw()
  }

  /** Brings the cursor to where its process is now. */
  #settle(): void {
    const listing = this.#listing()
    if (listing !== undefined) this.#state = settle(this.#state, listing)
  }

  #listing(): TableListing | undefined {
    if (this.#tick === undefined) return undefined
    const { table, stats } = this.#tick
    const { size } = this.#screen
    const header = headerOf(stats, size, this.#styleFor(size.columns))
    return new TableListing(table, this.#orderNow(), pageOf(size, header.length))
  }

  #orderNow(): Order {
    const { table, context } = this.#tick!
    const { view } = this.#state
    if (this.#order?.table !== table || this.#order.view !== view) {
      this.#order = { order: orderOf(table, view, context, this.#options.ascii), table, view }
    }
    return this.#order.order
  }

  #styleFor = (width: number): Style => ({ ...this.#style, width })

  #paint(): void {
    const { size } = this.#screen
    const notice = tooSmall(size)
    if (notice !== undefined) this.#screen.paint([notice])
    if (notice !== undefined || this.#tick === undefined) return
    const { table, stats, context } = this.#tick
    const style = this.#styleFor(size.columns)
    const order = this.#orderNow()
    const header = headerOf(stats, size, style)
    this.#state = settle(this.#state, new TableListing(table, order, pageOf(size, header.length)))
    const slot = order.slots[this.#state.at]
    const course = slot === undefined ? undefined : this.#history.of(slot, table.columns.generation[slot]!)
    const parts = partsOf(this.#state, { table, stats, order, context, course }, header, size, style)
    this.#screen.paint(frameLines(parts))
    const { top } = this.#state
    void this.#readSeen(Array.prototype.slice.call(order.slots, top, top + pageOf(size, header.length)))
    void this.#readAll()
  }

  /** Reads the command lines of the rows that are seen and have none yet. */
  async #readSeen(slots: readonly number[]): Promise<void> {
    if (this.#isReadingSeen || !this.#state.fields.some(({ isDetail }) => isDetail)) return
    const { table } = this.#tick!
    const unknown = slots.map((slot) => table.at(slot)).filter((row) => row.commandLine === undefined)
    if (unknown.length === 0) return
    this.#isReadingSeen = true
    await this.#sampler.readDetails(unknown)
    this.#isReadingSeen = false
    const now = this.#tick!.table
    if (unknown.some(({ slot }) => now.at(slot).commandLine !== undefined)) this.draw()
  }

  /** Reads all command lines, where the filter or the order is about them: once per life of a process. */
  async #readAll(): Promise<void> {
    const { filter, sort } = this.#state.view
    if (filter === '' && sort.isDetail !== true) {
      this.#unread = undefined
      return
    }
    this.#unread ??= [...this.#tick!.table.slots]
    if (this.#isReadingAll) return
    this.#isReadingAll = true
    let drawnAt = performance.now()
    while (this.#unread !== undefined && this.#unread.length > 0) {
      const { table } = this.#tick!
      await this.#sampler.readDetails(this.#unread.splice(-DETAILS_AT_ONCE).map((slot) => table.at(slot)))
      const now = performance.now()
      if (this.#unread?.length !== 0 && now - drawnAt < REDRAW_MS) continue
      drawnAt = now
      this.#order = undefined
      this.draw()
    }
    this.#isReadingAll = false
  }
}
