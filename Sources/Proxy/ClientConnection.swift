/// A connection of a client's, however many requests it carries at a time.
protocol ClientConnection: AnyObject {
    /// Ends it once the requests that are under way are answered.
    func drain()
    /// Ends it now.
    func abandon()
    /// Whose tunnel or stream of events must not outlive what admitted it.
    var standing: [ClientHandler] { get }
}
