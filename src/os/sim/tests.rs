use super::*;

fn file(disk: &SimDisk) -> Arc<dyn DiskFile> {
    disk.create_dir(Path::new("/d")).unwrap();
    let file = disk.create(Path::new("/d/f")).unwrap();
    disk.sync_dir(Path::new("/d")).unwrap();
    file
}

#[test]
fn what_is_synced_survives_and_the_rest_may_be_torn() {
    let mut seen = BTreeSet::new();
    for seed in 0..200 {
        let disk = SimDisk::new(seed);
        let handle = file(&disk);
        handle.write_all_at(&[1; 1024], 0).unwrap();
        handle.sync_data().unwrap();
        handle.write_all_at(&[2; 1024], 0).unwrap();
        disk.crash();
        let content = disk.contents(Path::new("/d/f")).unwrap();
        assert_eq!(content.len(), 1024);
        seen.insert((content[0], content[511], content[512], content[1023]));
        assert!(handle.len().is_err(), "a handle from before the crash is dead");
    }
    // Each sector old or new for itself, never mixed within.
    assert_eq!(seen, BTreeSet::from([(1, 1, 1, 1), (1, 1, 2, 2), (2, 2, 1, 1), (2, 2, 2, 2)]));
}

#[test]
fn a_sector_written_twice_may_be_any_version() {
    let mut seen = BTreeSet::new();
    for seed in 0..100 {
        let disk = SimDisk::new(seed);
        let handle = file(&disk);
        handle.write_all_at(&[1; 512], 0).unwrap();
        handle.sync_data().unwrap();
        handle.write_all_at(&[2], 0).unwrap();
        handle.write_all_at(&[3], 1).unwrap();
        disk.crash();
        let content = disk.contents(Path::new("/d/f")).unwrap();
        seen.insert((content[0], content[1]));
    }
    assert_eq!(seen, BTreeSet::from([(1, 1), (2, 1), (2, 3)]));
}

#[test]
fn names_survive_in_order() {
    let mut seen = BTreeSet::new();
    for seed in 0..100 {
        let disk = SimDisk::new(seed);
        let handle = file(&disk);
        handle.write_all_at(b"x", 0).unwrap();
        handle.sync_data().unwrap();
        disk.create(Path::new("/d/g")).unwrap();
        disk.remove(Path::new("/d/f")).unwrap();
        disk.crash();
        seen.insert(disk.list(Path::new("/d")).unwrap());
    }
    let f_g = vec!["f".to_string(), "g".to_string()];
    assert_eq!(seen, BTreeSet::from([vec!["f".to_string()], f_g, vec!["g".to_string()]]));
}

#[test]
fn after_a_failed_sync_the_bytes_are_never_written() {
    let disk = SimDisk::new(1);
    let handle = file(&disk);
    handle.write_all_at(&[1; 512], 0).unwrap();
    handle.sync_data().unwrap();
    disk.fail_sync_after(0);
    handle.write_all_at(&[2; 512], 0).unwrap();
    assert!(handle.sync_data().is_err());
    handle.sync_data().unwrap();
    assert_eq!(disk.contents(Path::new("/d/f")).unwrap()[0], 2);
    disk.crash();
    assert_eq!(disk.contents(Path::new("/d/f")).unwrap()[0], 1);
}

#[test]
fn a_full_disk_takes_what_fits() {
    let disk = SimDisk::new(1);
    let handle = file(&disk);
    disk.set_capacity(1000);
    assert_eq!(handle.write_at(&[1; 900], 200).unwrap(), 800);
    assert_eq!(handle.write_at(&[1; 900], 1000).unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(handle.allocate(1001).unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(disk.free_space(Path::new("/d")).unwrap(), 0);
    disk.remove(Path::new("/d/f")).unwrap();
    disk.sync_dir(Path::new("/d")).unwrap();
    assert_eq!(disk.free_space(Path::new("/d")).unwrap(), 1000);
}

#[test]
fn a_cut_and_regrown_file_may_keep_its_old_bytes_only_until_synced() {
    for seed in 0..50 {
        let disk = SimDisk::new(seed);
        let handle = file(&disk);
        handle.write_all_at(&[1; 1024], 0).unwrap();
        handle.sync_data().unwrap();
        handle.truncate(100).unwrap();
        handle.sync_data().unwrap();
        handle.allocate(1024).unwrap();
        disk.crash();
        let content = disk.contents(Path::new("/d/f")).unwrap();
        assert!(content[..100].iter().all(|b| *b == 1) && content[100..].iter().all(|b| *b == 0));
    }
}

#[test]
fn rot_changes_what_is_durable() {
    let disk = SimDisk::new(1);
    disk.put(Path::new("/d/f"), b"abc");
    assert!(disk.rot(Path::new("/d/f"), 1, 1));
    assert!(!disk.rot(Path::new("/d/f"), 3, 1));
    assert!(!disk.rot(Path::new("/d/g"), 0, 1));
    let copy = disk.copy(2);
    copy.crash();
    assert_eq!(copy.contents(Path::new("/d/f")).unwrap(), b"acc");
}
