import type { ProcessIo, ProcessMemory } from './process_info.js'

/** Lines `key: value`, as `status` and `io` have them. The kernel escapes newlines in the name, so no process can forge one. */
export function parseFields(text: string): Map<string, string> {
  const fields = new Map<string, string>()
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1).trim())
  }
  return fields
}

/** Undefined of what has no memory. */
export function parseMemory(fields: ReadonlyMap<string, string>): ProcessMemory | undefined {
  if (!fields.has('VmSize')) return undefined
  const bytes = (key: string) => Number.parseInt(fields.get(key) ?? '0', 10) * 1024
  return {
    vszBytes: bytes('VmSize'),
    peakVszBytes: bytes('VmPeak'),
    rssBytes: bytes('VmRSS'),
    peakRssBytes: bytes('VmHWM'),
    rssAnonBytes: bytes('RssAnon'),
    rssFileBytes: bytes('RssFile'),
    rssShmemBytes: bytes('RssShmem'),
    swapBytes: bytes('VmSwap'),
    lockedBytes: bytes('VmLck'),
    pageTableBytes: bytes('VmPTE'),
  }
}

export function parseIo(text: string): ProcessIo {
  const fields = parseFields(text)
  const number = (key: string) => Number(fields.get(key))
  return {
    readCallBytes: number('rchar'),
    writeCallBytes: number('wchar'),
    readCalls: number('syscr'),
    writeCalls: number('syscw'),
    readBytes: number('read_bytes'),
    writeBytes: number('write_bytes'),
    cancelledWriteBytes: number('cancelled_write_bytes'),
  }
}
