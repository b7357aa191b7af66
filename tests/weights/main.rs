//! Files of weights from elsewhere: what is read, what is refused, and where it goes.

mod hostile;
mod made;
mod published;
mod readers;
