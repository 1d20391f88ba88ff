import { type SignalName, sendSignal, setPriority, setResourceLimit } from '../../public/control.js'
import { inspectProcess } from '../../public/inspect.js'
import { messageOf } from '../fault.js'
import { infoLines } from '../inspect/info.js'
import { type Action, type Chosen, type Dialog, nameOf } from './state.js'

/** Does it to the very process that was chosen, and tells what came of it. */
export async function act(action: Action, target: Chosen): Promise<string> {
  try {
    const [result] = await carriedOut(action, target)
    if (result!.ok) return `${nameOf(target)}: ${doneWords(action)}`
    return result!.error.code === 'PROTECTED'
      ? `${nameOf(target)} is pid 1, a kernel thread or muster itself, which are refused here; the commands do it with --force`
      : messageOf(result!.error)
  } catch (error) {
    return messageOf(error)
  }
}

function carriedOut(action: Action, { identity }: Chosen) {
  switch (action.kind) {
    case 'signal':
      return sendSignal([identity], action.signal as SignalName)
    case 'nice':
      return setPriority([identity], action.nice)
    case 'limit':
      return setResourceLimit([identity], action.change.resource, action.change.limit)
  }
}

function doneWords(action: Action): string {
  switch (action.kind) {
    case 'signal':
      return `${action.signal} sent`
    case 'nice':
      return `nice ${action.nice} set`
    case 'limit':
      return `limit ${action.text} set`
  }
}

/** A pane with all that can be told of a process without its memory map, whose lock it may need itself. */
export async function lookInto(target: Chosen): Promise<Dialog | string> {
  try {
    const info = await inspectProcess(target.identity, {
      sections: ['files', 'connections', 'threads', 'namespaces'],
    })
    return { kind: 'pane', title: nameOf(target), lines: infoLines(info), top: 0 }
  } catch (error) {
    return messageOf(error)
  }
}
