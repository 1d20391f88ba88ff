/** One logical processor, proc_cpuinfo(5); undefined where this architecture does not say. */
export interface Processor {
  readonly processor: number
  readonly model: string | undefined
  readonly mhz: number | undefined
  readonly socket: number | undefined
  /** Within its socket. */
  readonly core: number | undefined
  readonly cacheBytes: number | undefined
  readonly flags: readonly string[]
}

/** `/proc/cpuinfo`. */
export interface CpuInfo {
  /** Of the first processor. */
  readonly model: string | undefined
  /** What all processors can do. */
  readonly flags: readonly string[]
  /** Logical processors that are online. */
  readonly threads: number
  readonly cores: number | undefined
  readonly sockets: number | undefined
  readonly processors: readonly Processor[]
}

/** Paragraphs of lines `model name<tab>: AMD EPYC`, one for each processor. */
export function parseCpuInfo(text: string): CpuInfo | undefined {
  const processors = text.split('\n\n').flatMap((paragraph) => processorOf(paragraph) ?? [])
  const [first] = processors
  if (first === undefined) return undefined
  const others = processors.slice(1).map(({ flags }) => new Set(flags))
  return {
    model: first.model,
    flags: first.flags.filter((flag) => others.every((set) => set.has(flag))),
    threads: processors.length,
    cores: countOf(processors, ({ socket, core }) =>
      socket === undefined || core === undefined ? undefined : `${socket}:${core}`,
    ),
    sockets: countOf(processors, ({ socket }) => socket),
    processors,
  }
}

function processorOf(paragraph: string): Processor | undefined {
  const fields = new Map<string, string>()
  for (const [, name, value] of paragraph.matchAll(/^(.+?)\s*: ?(.*)$/gm)) fields.set(name!, value!.trim())
  const number = (name: string): number | undefined => {
    const found = /^\d+(?:\.\d+)?/.exec(fields.get(name) ?? '')
    return found === null ? undefined : Number(found[0])
  }
  const processor = number('processor')
  if (processor === undefined) return undefined
  const cacheKib = number('cache size')
  return {
    processor,
    // arm64 has numbers of vendor and part instead of a name.
    model: fields.get('model name') ?? partOf(fields),
    mhz: number('cpu MHz'),
    socket: number('physical id'),
    core: number('core id'),
    cacheBytes: cacheKib === undefined ? undefined : cacheKib * 1024,
    flags: (fields.get('flags') ?? fields.get('Features') ?? '').split(/\s+/).filter(Boolean),
  }
}

function partOf(fields: ReadonlyMap<string, string>): string | undefined {
  const implementer = fields.get('CPU implementer')
  const part = fields.get('CPU part')
  return implementer === undefined || part === undefined
    ? undefined
    : `implementer ${implementer} part ${part}`
}

function countOf<T>(
  processors: readonly Processor[],
  key: (each: Processor) => T | undefined,
): number | undefined {
  const keys = new Set(processors.map(key))
  return keys.has(undefined) ? undefined : keys.size
}
