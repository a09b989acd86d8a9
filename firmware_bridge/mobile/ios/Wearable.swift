// not run here
// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Delivers samples while its stream is read; what goes wrong is a result, never thrown.
public protocol SampleSource: Sendable {
  func samples() -> AsyncStream<Result<Samples, WearableError>>
}

/// Raw samples in, `decisions` out: this bundle in an app.
///
///     let wearable = try await Wearable.open(state: saved).get()
///     for await decision in wearable.decisions { show(decision) }
///
/// An actor: all work is done off the main thread. `offer` only queues, so that a sensor's callback may call it, and what
/// goes wrong later is in `faults`; the others return results. Each stream is for one reader.
public actor Wearable {
  /// The decisions, oldest first; of those nobody reads the newest 64 are kept.
  public nonisolated let decisions: AsyncStream<Decision>
  /// What went wrong with samples that were offered or followed. Nothing has to be done: decisions go on.
  public nonisolated let faults: AsyncStream<WearableError>
  /// Why a state was not taken over, so that this wearer enrols anew; nil where it was, or there was none.
  public nonisolated let stateError: WearableError?
  /// The modalities of this model.
  public nonisolated let sensors: [String]

  private let session: Session
  private nonisolated let queue: AsyncStream<Samples>.Continuation
  private nonisolated let said: AsyncStream<Decision>.Continuation
  private nonisolated let failed: AsyncStream<WearableError>.Continuation

  init(displayS: Double = 30, state: Data? = nil, model: WindowModel? = nil) throws {
    session = try Session(displayS: displayS, model: model)
    sensors = session.modalities
    var refused: WearableError?
    if let state {
      do { try session.loadState(state) } catch { refused = Wearable.fault(error) }
    }
    stateError = refused
    (decisions, said) = AsyncStream.makeStream(of: Decision.self, bufferingPolicy: .bufferingNewest(64))
    (faults, failed) = AsyncStream.makeStream(of: WearableError.self, bufferingPolicy: .bufferingNewest(64))
    let (arriving, queue) = AsyncStream.makeStream(of: Samples.self, bufferingPolicy: .bufferingNewest(4096))
    self.queue = queue
    Task { [weak self] in
      for await samples in arriving { _ = await self?.push(samples) }
    }
  }

  deinit { close() }

  /// Opens this bundle's device off the calling thread. What is shown is the average of the decisions of the last
  /// `displayS` seconds; 0 shows each as it is. A `state` of `saveState` resumes an enrolment; see `stateError`.
  public static func open(
    displayS: Double = 30, state: Data? = nil, model: (@Sendable () throws -> WindowModel)? = nil
  ) async -> Result<Wearable, WearableError> {
    do {
      return .success(try Wearable(displayS: displayS, state: state, model: try model?()))
    } catch {
      return .failure(fault(error))
    }
  }

  /// Queues samples, from any thread; false where others were lost for it, as a gap, or this was closed.
  @discardableResult
  public nonisolated func offer(_ samples: Samples) -> Bool {
    if case .enqueued = queue.yield(samples) { return true }
    return false
  }

  /// Takes samples now; also returns the decisions that they complete, mostly none.
  @discardableResult
  public func push(_ samples: Samples) -> Result<[Decision], WearableError> { told { try session.push(samples) } }

  /// It is `timeS` now and nothing older will come: say it once a second, less about 3 s for late samples.
  @discardableResult
  public func advance(to timeS: Double) -> Result<[Decision], WearableError> {
    told { try session.advance(to: timeS) }
  }

  /// Offers what a source delivers until it ends or the task is cancelled.
  public nonisolated func follow(_ source: SampleSource) async {
    for await result in source.samples() {
      switch result {
      case .success(let samples): offer(samples)
      case .failure(let error): failed.yield(error)
      }
    }
  }

  /// What the wearer taught, for `open` of the next start: keep it in the app's own files, it is personal.
  public func saveState() -> Result<Data, WearableError> {
    do { return .success(try session.saveState()) } catch { return .failure(Wearable.fault(error)) }
  }

  /// Ends the streams.
  public nonisolated func close() {
    queue.finish()
    said.finish()
    failed.finish()
  }

  private func told(_ act: () throws -> [Decision]) -> Result<[Decision], WearableError> {
    do {
      let made = try act()
      for decision in made { said.yield(decision) }
      return .success(made)
    } catch {
      let fault = Wearable.fault(error)
      failed.yield(fault)
      return .failure(fault)
    }
  }

  private static func fault(_ error: Error) -> WearableError {
    error as? WearableError ?? .source(error.localizedDescription)
  }
}
