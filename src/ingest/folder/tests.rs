use std::sync::Mutex;

use super::settings::WatchSettings;
use super::*;
use crate::ingest::tests::{Mood, Taken, door, record, sequencer};
use crate::ingest::{OUTBOX_MAX, Outbox};

/// A folder, a watcher of it, and what it handed on.
struct World {
    folder: tempfile::TempDir,
    data: tempfile::TempDir,
    taken: Arc<Mutex<Taken>>,
    outbox: Outbox,
    settings: WatchSettings,
    _stop: tokio::sync::watch::Sender<bool>,
    stop: Stop,
}

impl World {
    fn new(settings: &str) -> World {
        let (outbox, inbox) = Outbox::new(OUTBOX_MAX);
        let taken = Arc::new(Mutex::new(Taken::default()));
        tokio::spawn(sequencer(inbox, Mood::Takes, None, taken.clone()));
        let (sender, receiver) = tokio::sync::watch::channel(false);
        let folder = tempfile::tempdir().unwrap();
        let settings = toml::from_str(&format!("folder = {:?}\n{settings}", folder.path())).unwrap();
        World {
            folder,
            data: tempfile::tempdir().unwrap(),
            taken,
            outbox,
            settings,
            _stop: sender,
            stop: Stop(receiver),
        }
    }

    fn watcher(&self) -> Watcher {
        let watch = self.settings.check(Path::new(""), &Default::default()).unwrap();
        let door = door(watch.source.format.clone(), self.outbox.clone());
        Watcher::new(watch, Arc::new(door), self.data.path())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn append(&self, name: &str, text: &str) {
        use std::io::Write;
        let mut file = File::options().append(true).create(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn ids(&self) -> Vec<String> {
        std::mem::take(&mut self.taken.lock().unwrap().ids)
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.folder.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

async fn look(watcher: &mut Watcher, world: &World, times: u32) {
    for _ in 0..times {
        watcher.look(&world.stop).await.unwrap();
    }
}

fn id(n: u32) -> String {
    format!("listener/{n}")
}

#[tokio::test]
async fn a_growing_file_is_read_once_through_rotation_restart_and_truncation() {
    let world = World::new("pattern = \"Master.csv\"");
    let mut watcher = world.watcher();
    look(&mut watcher, &world, 1).await;
    world.append("Master.csv", &format!("{}\n{}", record(1), &record(2)[..20]));
    look(&mut watcher, &world, 5).await;
    assert_eq!(world.ids(), [id(1)]);
    world.append("Master.csv", &format!("{}\n", &record(2)[20..]));
    world.append("other.csv", &format!("{}\n", record(99)));
    look(&mut watcher, &world, 2).await;
    assert_eq!(world.ids(), [id(2)]);
    // A restart goes on where it was.
    drop(watcher);
    let mut watcher = world.watcher();
    look(&mut watcher, &world, 2).await;
    assert_eq!(world.ids(), Vec::<String>::new());
    // What was written just before the rotation is read under the new name.
    world.append("Master.csv", &format!("{}\n", record(3)));
    fs::rename(world.path("Master.csv"), world.path("Master.csv.1")).unwrap();
    world.append("Master.csv", &format!("{}\n", record(4)));
    look(&mut watcher, &world, 2).await;
    assert_eq!(world.ids(), [id(4), id(3)]);
    // Copied and cut short: it begins anew.
    fs::write(world.path("Master.csv"), format!("{}\n", record(5))).unwrap();
    look(&mut watcher, &world, 2).await;
    assert_eq!(world.ids(), [id(5)]);
}

#[tokio::test]
async fn rows_below_a_heading_are_read_after_a_restart() {
    let world = World::new("");
    let mut watcher = world.watcher();
    world.append("a.csv", "id,source,destination,duration\n1,+491,+492,5\n");
    look(&mut watcher, &world, 1).await;
    drop(watcher);
    world.append("a.csv", "2,+491,+492,5\n");
    let mut watcher = world.watcher();
    look(&mut watcher, &world, 1).await;
    assert_eq!(world.ids(), [id(1), id(2)]);
    assert_eq!(world.taken.lock().unwrap().refused, 0);
}

#[tokio::test]
async fn complete_files_are_put_away() {
    let world = World::new("after = \"move\"\npattern = \"*.json\"\nformat = \"freeswitch-json\"");
    let mut watcher = world.watcher();
    let leg = r#"{"variables":{"uuid":"7","sip_from_user":"1","sip_req_user":"2","answer_epoch":"1795297932","billsec":"1"}}"#;
    world.append("a.cdr.json", &leg[..30]);
    look(&mut watcher, &world, 2).await;
    world.append("a.cdr.json", &leg[30..]);
    look(&mut watcher, &world, QUIET).await;
    assert_eq!((world.ids(), world.names()), (vec![], vec!["a.cdr.json".to_owned()]));
    look(&mut watcher, &world, 1).await;
    assert_eq!((world.ids(), world.names()), (vec![id(7)], vec!["done".to_owned()]));

    let world = World::new("after = \"delete\"");
    let mut watcher = world.watcher();
    world.append("good", &format!("{}\n{}", record(1), record(2)));
    world.append("bad", &format!("{}\nhuh\n", record(3)));
    look(&mut watcher, &world, QUIET + 1).await;
    // Nothing is removed of which something could not be read.
    assert_eq!((world.ids(), world.names()), (vec![id(3), id(1), id(2)], vec!["refused".to_owned()]));
    look(&mut watcher, &world, QUIET + 1).await;
    assert_eq!(world.ids(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_not_taken_is_read_again() {
    let world = World::new("");
    let mut watcher = world.watcher();
    let (outbox, inbox) = Outbox::new(OUTBOX_MAX);
    let away = Arc::new(Mutex::new(Taken::default()));
    tokio::spawn(sequencer(inbox, Mood::FullAfter(0), None, away));
    watcher.door = Arc::new(door(Format::Auto, outbox));
    world.append("a", &format!("{}\n", record(1)));
    assert!(matches!(watcher.look(&world.stop).await, Err(Trouble::NotTaken(NotTaken::JournalFull))));
    watcher.door = Arc::new(door(Format::Auto, world.outbox.clone()));
    look(&mut watcher, &world, 1).await;
    assert_eq!(world.ids(), [id(1)]);
}

/// A file is known by its first bytes; it is still known once there are more of them.
#[tokio::test]
async fn a_file_that_outgrows_what_it_is_known_by_is_not_read_again() {
    let world = World::new("pattern = \"Master.csv\"");
    let mut watcher = world.watcher();
    let mut expected = Vec::new();
    for n in 0..3 {
        let lines: Vec<u32> = (n * 30..n * 30 + 30).collect();
        world.append("Master.csv", &lines.iter().map(|n| record(n) + "\n").collect::<String>());
        look(&mut watcher, &world, 2).await;
        expected.extend(lines.into_iter().map(id));
    }
    assert!(fs::metadata(world.path("Master.csv")).unwrap().len() > 2 * HEAD);
    assert_eq!(world.ids(), expected);
}

/// What FreeSWITCH could not post, in its `err-log-dir`: JSON of one module, XML of the other.
#[tokio::test]
async fn files_that_freeswitch_could_not_post() {
    let world = World::new("pattern = \"*.cdr.*\"\nformat = \"freeswitch\"\nafter = \"delete\"");
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/captures/freeswitch");
    for n in 0..3 {
        fs::copy(captures.join(format!("cdr_{n}.json")), world.path(&format!("u{n}.cdr.json"))).unwrap();
    }
    world.append(
        "u3.cdr.xml",
        "<?xml version=\"1.0\"?>\n<cdr><variables><uuid>u3</uuid><direction>inbound</direction><sip_from_user>1</sip_from_user>\
         <sip_req_user>2</sip_req_user><answer_uepoch>1795297932878737</answer_uepoch><billusec>3</billusec></variables></cdr>\n",
    );
    let mut watcher = world.watcher();
    look(&mut watcher, &world, QUIET + 2).await;
    assert_eq!(world.names(), Vec::<String>::new());
    assert_eq!(
        world.ids(),
        [
            "listener/503dc1a5-81f2-4d78-8749-68c64d536d7e",
            "listener/c12c7067-1747-4e82-a022-5b9773bb7338",
            "listener/u3"
        ]
    );
}
